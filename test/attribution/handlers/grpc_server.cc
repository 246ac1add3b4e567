// SPDX-License-Identifier: Apache-2.0
//
// grpc_server sync|async|callback PORT [LOG] - gRPC by its C++ library, each of its three APIs. A request's message
// is its number and its microseconds. Messages are bytes: what generated code registers is registered here. With a
// LOG, a line goes to that file and to stderr before and after the work.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/service_type.h>

extern "C" {
#include "../burn/burn.h"
}

#define POLLERS 2

static int log_file = -1;

static void say(const char *what, unsigned n)
{
	std::string line = what + (" " + std::to_string(n)) + "\n";

	if (log_file < 0)
		return;
	for (int fd : {log_file, STDERR_FILENO})
		if (write(fd, line.data(), line.size()) < 0)
			perror("log");
}

static grpc::ByteBuffer answer(const grpc::ByteBuffer &asked)
{
	std::vector<grpc::Slice> slices;
	std::string text;
	unsigned n = 0, us = 0;

	asked.Dump(&slices);
	for (const grpc::Slice &slice : slices)
		text.append(reinterpret_cast<const char *>(slice.begin()), slice.size());
	sscanf(text.c_str(), "%u %u", &n, &us);
	say("begin", n);
	burn(n, us);
	say("end", n);

	grpc::Slice done("done");
	return grpc::ByteBuffer(&done, 1);
}

// A thread of the library's for each request at work.
class Sync final : public grpc::Service
{
      public:
	Sync()
	{
		auto run = [](Sync *, grpc::ServerContext *, const grpc::ByteBuffer *asked, grpc::ByteBuffer *out) {
			*out = answer(*asked);
			return grpc::Status::OK;
		};

		AddMethod(new grpc::internal::RpcServiceMethod(
			"/burn.Burn/Burn", grpc::internal::RpcMethod::NORMAL_RPC,
			new grpc::internal::RpcMethodHandler<Sync, grpc::ByteBuffer, grpc::ByteBuffer>(run, this)));
	}
};

// Threads of the program's own that ask a completion queue for what is next.
class Async
{
	class Call
	{
	      public:
		Call(grpc::AsyncGenericService *service, grpc::ServerCompletionQueue *queue)
		    : service(service), queue(queue), stream(&context)
		{
			service->RequestCall(&context, &stream, queue, queue, this);
		}

		void go_on(bool ok)
		{
			switch (ok ? state++ : 3) {
			case 0:
				new Call(service, queue);
				stream.Read(&asked, this);
				break;
			case 1:
				stream.WriteAndFinish(answer(asked), grpc::WriteOptions(), grpc::Status::OK, this);
				break;
			default:
				delete this;
			}
		}

	      private:
		grpc::AsyncGenericService *service;
		grpc::ServerCompletionQueue *queue;
		grpc::GenericServerContext context;
		grpc::GenericServerAsyncReaderWriter stream;
		grpc::ByteBuffer asked;
		int state = 0;
	};

      public:
	grpc::AsyncGenericService service;

	void serve(std::unique_ptr<grpc::ServerCompletionQueue> queue)
	{
		void *call;
		bool ok;

		new Call(&service, queue.get());
		while (queue->Next(&call, &ok))
			static_cast<Call *>(call)->go_on(ok);
	}
};

// The library's threads call back.
class Callback final : public grpc::CallbackGenericService
{
	class Reactor final : public grpc::ServerGenericBidiReactor
	{
	      public:
		Reactor() { StartRead(&asked); }

		void OnReadDone(bool ok) override
		{
			if (!ok) {
				Finish(grpc::Status::CANCELLED);
				return;
			}
			said = answer(asked);
			StartWriteAndFinish(&said, grpc::WriteOptions(), grpc::Status::OK);
		}

		void OnDone() override { delete this; }

	      private:
		grpc::ByteBuffer asked, said;
	};

      public:
	grpc::ServerGenericBidiReactor *CreateReactor(grpc::GenericCallbackServerContext *) override
	{
		return new Reactor;
	}
};

int main(int argc, char **argv)
{
	std::vector<std::thread> pollers;
	grpc::ServerBuilder builder;
	Callback callback;
	Async async;
	Sync sync;
	bool is_async = argc > 1 && !strcmp(argv[1], "async");

	if (argc < 3)
		return 2;
	if (argc > 3)
		log_file = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	builder.AddListeningPort(std::string("127.0.0.1:") + argv[2], grpc::InsecureServerCredentials());
	if (is_async)
		builder.RegisterAsyncGenericService(&async.service);
	else if (!strcmp(argv[1], "callback"))
		builder.RegisterCallbackGenericService(&callback);
	else
		builder.RegisterService(&sync);

	std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
	for (int i = 0; is_async && i < POLLERS; i++)
		queues.push_back(builder.AddCompletionQueue());

	std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (!server)
		return 1;
	for (auto &queue : queues)
		pollers.emplace_back(&Async::serve, &async, std::move(queue));
	server->Wait();
}
