/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls PORT READER WRITER - a thread for each connection; by which calls heads come in and answers
 * go out. READER: readv, recvmsg, recvmmsg, recvfrom, peek, bytes, stdio; WRITER: writev, sendmsg,
 * sendmmsg, sendto, sendfile, splice, stdio, dprintf.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "serve.h"

static const char *reader, *writer;
static int file;

static ssize_t read_some(int fd, FILE *stream, char *text, size_t room)
{
	struct iovec parts[2] = {{text, 40}, {text + 40, room - 40}};
	struct mmsghdr messages = {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}};

	if (!strcmp(reader, "readv"))
		return readv(fd, parts, 2);
	if (!strcmp(reader, "recvmsg"))
		return recvmsg(fd, &messages.msg_hdr, 0);
	if (!strcmp(reader, "recvmmsg"))
		return recvmmsg(fd, &messages, 1, 0, NULL) == 1 ? (ssize_t)messages.msg_len : -1;
	if (!strcmp(reader, "recvfrom"))
		return recvfrom(fd, text, room, 0, NULL, NULL);
	if (!strcmp(reader, "bytes"))
		return read(fd, text, 1);
	if (!strcmp(reader, "stdio"))
		return fgets(text, (int)room, stream) ? (ssize_t)strlen(text) : -1;
	if (!strcmp(reader, "peek")) {
		ssize_t n = recv(fd, text, room, MSG_PEEK);

		return n > 0 ? read(fd, text, (size_t)n) : n;
	}
	return read(fd, text, room);
}

static void splice_reply(int fd)
{
	int pipe_fds[2];

	if (pipe(pipe_fds) != 0)
		return;
	if (write(pipe_fds[1], REPLY, REPLY_SIZE) == (ssize_t)REPLY_SIZE)
		splice(pipe_fds[0], NULL, fd, NULL, REPLY_SIZE, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void reply(int fd, FILE *stream)
{
	struct iovec parts[2] = {{REPLY, 10}, {REPLY + 10, REPLY_SIZE - 10}};
	struct mmsghdr messages = {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}};
	off_t at = 0;

	if (!strcmp(writer, "writev")) {
		if (writev(fd, parts, 2) < 0)
			return;
	} else if (!strcmp(writer, "sendmsg")) {
		sendmsg(fd, &messages.msg_hdr, MSG_NOSIGNAL);
	} else if (!strcmp(writer, "sendmmsg")) {
		sendmmsg(fd, &messages, 1, MSG_NOSIGNAL);
	} else if (!strcmp(writer, "sendto")) {
		sendto(fd, REPLY, REPLY_SIZE, MSG_NOSIGNAL, NULL, 0);
	} else if (!strcmp(writer, "sendfile")) {
		sendfile(fd, file, &at, REPLY_SIZE);
	} else if (!strcmp(writer, "splice")) {
		splice_reply(fd);
	} else if (!strcmp(writer, "stdio")) {
		fputs(REPLY, stream);
		fflush(stream);
	} else {
		dprintf(fd, "%s", REPLY);
	}
}

static void serve(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	struct request request;
	char text[HEAD_MAX];
	size_t n = 0;

	do {
		ssize_t got = read_some(fd, in, text + n, sizeof(text) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
		text[n] = 0;
		if (!serve_parse(text, &request))
			continue;
		burn(request.n, request.us);
		reply(fd, out);
		n = 0;
	} while (n || !request.close);
	fclose(out);
	fclose(in);
}

int main(int argc, char **argv)
{
	reader = argv[2];
	writer = argv[3];
	file = memfd_create("reply", MFD_CLOEXEC);
	if (write(file, REPLY, REPLY_SIZE) != (ssize_t)REPLY_SIZE)
		return 1;
	serve_threads(serve_listen(argv[1], false), serve);
}
