// SPDX-License-Identifier: Apache-2.0
// java Server.java PORT direct|inner|then DIRECTORY: com.sun.net.httpserver with a pool of threads.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Server {
	static native void burn(int n, int us);

	static final Pattern QUERY = Pattern.compile("n=(\\d+)&us=(\\d+)");
	static final ExecutorService inner = Executors.newFixedThreadPool(4);
	static String kind;

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
		Runnable work = () -> burn(n, us);
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
		default:
			work.run();
			answer(exchange);
		}
	}

	public static void main(String[] args) throws IOException {
		kind = args[1];
		System.load(args[2] + "/burn_jni.so");
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 511);
		server.createContext("/burn", Server::handle);
		server.setExecutor(Executors.newFixedThreadPool(16));
		server.start();
	}
}
