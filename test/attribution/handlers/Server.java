// SPDX-License-Identifier: Apache-2.0
// java Server.java PORT direct|inner|then|tenth|async DIRECTORY [LOG]: com.sun.net.httpserver with a pool of
// threads. then: work and answer in another pool; tenth: .. but each tenth answer by a thread beside it; async: ..
// but the answer is a job of its own. LOG: a line to that file and to stderr around the work.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Server {
	static native void burn(int n, int us);

	static final Pattern QUERY = Pattern.compile("n=(\\d+)&us=(\\d+)");
	static final ExecutorService inner = Executors.newFixedThreadPool(4), beside = Executors.newSingleThreadExecutor();
	static final AtomicInteger count = new AtomicInteger();
	static FileOutputStream log;
	static String kind;

	static void say(String what, int n) {
		byte[] line = (what + " " + n + "\n").getBytes();

		if (log == null)
			return;
		try {
			log.write(line);
		} catch (IOException e) {
			throw new UncheckedIOException(e);
		}
		System.err.write(line, 0, line.length);
	}

	static void answer(HttpExchange exchange) {
		try {
			exchange.sendResponseHeaders(200, 5);
			exchange.getResponseBody().write("done\n".getBytes());
			exchange.close();
		} catch (IOException e) {
			throw new UncheckedIOException(e);
		}
	}

	static void handle(HttpExchange exchange) throws IOException {
		Matcher found = QUERY.matcher(exchange.getRequestURI().getQuery());
		found.find();
		int n = Integer.parseInt(found.group(1)), us = Integer.parseInt(found.group(2));
		Runnable work = () -> {
			say("begin", n);
			burn(n, us);
			say("end", n);
		};
		switch (kind) {
		case "inner":
			try {
				inner.submit(work).get();
			} catch (InterruptedException | ExecutionException e) {
				throw new IOException(e);
			}
			answer(exchange);
			break;
		case "then":
			CompletableFuture.runAsync(work, inner).thenRun(() -> answer(exchange));
			break;
		case "tenth":
			if (count.incrementAndGet() % 10 == 0)
				CompletableFuture.runAsync(work, inner).thenRunAsync(() -> answer(exchange), beside);
			else
				CompletableFuture.runAsync(work, inner).thenRun(() -> answer(exchange));
			break;
		case "async":
			CompletableFuture.runAsync(work, inner).thenRunAsync(() -> answer(exchange), inner);
			break;
		default:
			work.run();
			answer(exchange);
		}
	}

	public static void main(String[] args) throws IOException {
		kind = args[1];
		log = args.length > 3 ? new FileOutputStream(args[3]) : null;
		System.load(args[2] + "/burn_jni.so");
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 511);
		server.createContext("/burn", Server::handle);
		server.setExecutor(Executors.newFixedThreadPool(16));
		server.start();
	}
}
