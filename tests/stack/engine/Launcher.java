import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Starts one node of the engine on the class path and keeps it until SIGTERM.
 *
 * <p>Usage: {@code java -cp JARS Launcher path.home=DIR [setting=value ...]}. Listens on 127.0.0.1 only, on ports that the
 * system picks unless {@code http.port} and {@code transport.port} say otherwise. Once the cluster is at least yellow,
 * with the indices of an earlier run, the node's address is in {@code DIR/ready}. With {@code -Dlauncher.train=true} it then
 * does a little of each kind of work and ends, so that the JVM can archive the classes that this needs.
 */
public final class Launcher {
    private static final Duration RECOVERY_LIMIT = Duration.ofSeconds(170);
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private Launcher() {}

    public static void main(String[] arguments) {
        try {
            run(settings(arguments));
        } catch (Throwable e) {
            e.printStackTrace();
            // without the shutdown hook: a node that failed half-way may not come to rest
            Runtime.getRuntime().halt(1);
        }
    }

    private static void run(Map<String, String> settings) throws Exception {
        Path home = Path.of(settings.get("path.home"));
        for (String folder : List.of("config", "plugins", "modules")) {
            Files.createDirectories(home.resolve(folder));
        }
        provideZstd(home);
        Engine engine = new Engine(settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(engine)));
        engine.start();
        String url = "http://127.0.0.1:" + engine.httpPort();
        waitForIndices(url);
        if (Boolean.getBoolean("launcher.train")) {
            train(url);
            System.exit(0);
        }
        Path unfinished = Files.writeString(home.resolve("ready.new"), url + "\n");
        Files.move(unfinished, home.resolve("ready"));
        Thread.currentThread().join();
    }

    private static Map<String, String> settings(String[] arguments) {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("cluster.name", "omphalos-stack");
        settings.put("node.name", "node-1");
        settings.put("network.host", "127.0.0.1");
        settings.put("discovery.type", "single-node");
        settings.put("http.port", "0");
        settings.put("transport.port", "0");
        // a full disk is for tests to stage
        settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("not of the form setting=value: " + argument);
            }
            settings.put(argument.substring(0, equals), argument.substring(equals + 1));
        }
        String home = settings.get("path.home");
        if (home == null) {
            throw new IllegalArgumentException("path.home=DIR is missing");
        }
        settings.putIfAbsent("path.data", Path.of(home, "data").toString());
        settings.putIfAbsent("path.logs", Path.of(home, "logs").toString());
        return settings;
    }

    /**
     * Elasticsearch 9 looks for its native libraries in one folder. zstd, which `best_compression` needs, is taken from the
     * system; the vector library is not on Maven Central and so switched off.
     */
    private static void provideZstd(Path home) throws IOException {
        Path folder = Files.createDirectories(home.resolve("native"));
        Path link = folder.resolve("libzstd.so");
        for (String system : List.of("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")) {
            Path library = Path.of(system, "libzstd.so.1");
            if (Files.exists(library) && !Files.exists(link, LinkOption.NOFOLLOW_LINKS)) {
                Files.createSymbolicLink(link, library);
            }
        }
        System.setProperty("es.nativelibs.path", folder.toString());
        System.setProperty("org.elasticsearch.nativeaccess.enableVectorLibrary", "false");
    }

    private static void stop(Engine engine) {
        try {
            engine.stop();
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    private static void waitForIndices(String url) throws Exception {
        long deadline = System.nanoTime() + RECOVERY_LIMIT.toNanos();
        HttpResponse<String> answer;
        do {
            answer = send("GET", url + "/_cluster/health?wait_for_status=yellow&wait_for_events=languid&timeout=10s", null);
            if (answer.statusCode() == 200) {
                return;
            }
        } while (System.nanoTime() < deadline);
        throw new IllegalStateException("the cluster did not turn yellow: " + answer.body());
    }

    /** Answers do not matter: what an engine refuses, it refuses in a test as well. */
    private static void train(String url) throws Exception {
        String action = "{\"create\":{\"_index\":\"trained-1\",\"_id\":\"1\"}}\n";
        String document = "{\"@timestamp\":\"2026-01-02T03:04:05.678Z\",\"message\":\"GET /\",\"status\":200,\"a\":{\"ip\":\"::1\"}}\n";
        send("GET", url + "/", null);
        send("PUT", url + "/_index_template/trained", "{\"index_patterns\":[\"trained-*\"],\"template\":{\"mappings\":"
                + "{\"properties\":{\"@timestamp\":{\"type\":\"date_nanos\"},\"a.ip\":{\"type\":\"ip\"}}}}}");
        // the second time gets the answer for a duplicate
        send("POST", url + "/_bulk", action + document);
        send("POST", url + "/_bulk?refresh=true", action + document);
        send("POST", url + "/trained-*/_search", "{\"query\":{\"range\":{\"@timestamp\":{\"lt\":\"now\"}}},"
                + "\"sort\":[\"@timestamp\"],\"aggs\":{\"status\":{\"terms\":{\"field\":\"status\"}}}}");
        send("GET", url + "/_cat/indices", null);
        send("GET", url + "/trained-*/_count", null);
        send("DELETE", url + "/trained-1", null);
    }

    private static HttpResponse<String> send(String method, String url, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .timeout(Duration.ofSeconds(40))
                .header("content-type", url.contains("/_bulk") ? "application/x-ndjson" : "application/json")
                .method(method, body == null
                        ? HttpRequest.BodyPublishers.noBody()
                        : HttpRequest.BodyPublishers.ofString(body))
                .build();
        return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    }
}
