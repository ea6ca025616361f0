import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A node of the engine on the class path: Elasticsearch 7.17, Elasticsearch 9 or OpenSearch 3. Owns what differs between
 * them, which is how a node is made without a distribution around it: no module folders, no security manager or
 * entitlements, no bootstrap checks (so root may run it). Plugins come from the class path too.
 */
final class Engine {
    private static final boolean ELASTICSEARCH = Reflect.typeOrNull("org.elasticsearch.node.Node") != null;

    /** Loaded where the class path has them; the same plugin sits in other packages in other engines. */
    private static final List<String> PLUGINS = List.of(
            "transport.netty4.Netty4Plugin", "transport.Netty4Plugin", "transport.Netty4ModulePlugin",
            "index.mapper.extras.MapperExtrasPlugin", "index.mapper.MapperExtrasModulePlugin",
            "index.reindex.ReindexModulePlugin", "search.aggregations.matrix.MatrixAggregationModulePlugin",
            "join.ParentJoinModulePlugin", "script.mustache.MustacheModulePlugin",
            "analysis.common.CommonAnalysisModulePlugin", "ingest.common.IngestCommonModulePlugin",
            "painless.PainlessModulePlugin");

    private final Object node;

    Engine(Map<String, String> settings) throws Exception {
        Path home = Path.of(settings.get("path.home"));
        Object builder = Reflect.call(type("common.settings.Settings"), "builder");
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            Reflect.call(builder, "put", setting.getKey(), setting.getValue());
        }
        Object built = Reflect.call(builder, "build");
        startLogging(built, settings.get("node.name"));
        Supplier<String> name = () -> settings.get("node.name");
        Object environment = Reflect.call(
                type("node.InternalSettingsPreparer"), "prepareEnvironment", built, Map.of(), home.resolve("config"), name);
        node = node(environment, plugins(), home);
        if (ELASTICSEARCH && pluginsLoader() != null) {
            RootPage.register(Reflect.call(node, "injector"), settings);
        }
    }

    void start() throws Exception {
        Reflect.call(node, "start");
    }

    void stop() throws Exception {
        try {
            Reflect.call(node, "prepareForClose");
        } catch (NoSuchMethodException e) {
            // Elasticsearch 7 has no such step
        }
        ((AutoCloseable) node).close();
        Reflect.call(node, "awaitClose", 8L, TimeUnit.SECONDS);
    }

    int httpPort() throws Exception {
        Object http = Reflect.call(Reflect.call(node, "injector"), "getInstance", type("http.HttpServerTransport"));
        Object address = Reflect.call(Reflect.call(Reflect.call(http, "boundAddress"), "publishAddress"), "address");
        return ((InetSocketAddress) address).getPort();
    }

    /** A class of the engine, named without the part in which Elasticsearch and OpenSearch differ. */
    static Class<?> type(String name) throws ClassNotFoundException {
        return Reflect.type(root() + name);
    }

    private static String root() {
        return ELASTICSEARCH ? "org.elasticsearch." : "org.opensearch.";
    }

    /** What Elasticsearch 9 loads plugins with; Elasticsearch 7 has none. */
    private static Class<?> pluginsLoader() {
        return Reflect.typeOrNull("org.elasticsearch.plugins.PluginsLoader");
    }

    private static void startLogging(Object settings, String nodeName) throws Exception {
        Class<?> log = type("common.logging.LogConfigurator");
        Reflect.call(log, "registerErrorListener");
        Reflect.call(log, "setNodeName", nodeName);
        try {
            // Elasticsearch 9 fails on its first log line without it
            Reflect.call(log, "configureESLogging");
        } catch (NoSuchMethodException e) {
            // the others have no such step
        }
        Reflect.call(log, "configureWithoutConfig", settings);
    }

    private static List<Class<?>> plugins() {
        List<Class<?>> found = new ArrayList<>();
        for (String name : PLUGINS) {
            Class<?> plugin = Reflect.typeOrNull(root() + name);
            if (plugin != null) {
                found.add(plugin);
            }
        }
        return found;
    }

    private static Object node(Object environment, List<Class<?>> plugins, Path home) throws Exception {
        Class<?> node = type("node.Node");
        if (!ELASTICSEARCH) {
            return Reflect.construct(node, environment, openSearchPlugins(plugins), true);
        }
        if (pluginsLoader() == null) {
            return Reflect.construct(node, environment, plugins, true);
        }
        return Reflect.construct(node, environment, elasticsearch9Plugins(plugins, home));
    }

    private static List<Object> openSearchPlugins(List<Class<?>> plugins) throws Exception {
        Object version = type("Version").getField("CURRENT").get(null);
        List<Object> infos = new ArrayList<>();
        for (Class<?> plugin : plugins) {
            infos.add(Reflect.construct(type("plugins.PluginInfo"), plugin.getName(), "class path", "NA", version,
                    javaVersion(), plugin.getName(), null, List.of(), false));
        }
        return infos;
    }

    /** A loader whose plugin layers are all the class path itself, where Elasticsearch would make a module layer for each. */
    private static Object elasticsearch9Plugins(List<Class<?>> plugins, Path home) throws Exception {
        Object target = type("plugins.PluginDescriptor$DeploymentTarget").getEnumConstants()[0];
        String version = Reflect.call(Reflect.call(type("Build"), "current"), "version").toString();
        Path noJars = Files.createDirectories(home.resolve("no-jars"));
        ClassLoader loader = Engine.class.getClassLoader();
        Set<Object> bundles = new LinkedHashSet<>();
        Map<String, Object> layers = new LinkedHashMap<>();
        for (Class<?> plugin : plugins) {
            String name = plugin.getSimpleName();
            Object descriptor = Reflect.construct(type("plugins.PluginDescriptor"), name, "class path", version, version,
                    javaVersion(), plugin.getName(), null, List.of(), false, false, false, false, target);
            Object bundle = Reflect.construct(type("plugins.PluginBundle"), descriptor, noJars);
            bundles.add(bundle);
            layers.put(name, Reflect.construct(type("plugins.PluginsLoader$LoadedPluginLayer"), bundle, loader,
                    ModuleLayer.boot(), loader, ModuleLayer.boot()));
        }
        return Reflect.construct(pluginsLoader(), bundles, Set.of(), layers);
    }

    private static String javaVersion() {
        return Integer.toString(Runtime.version().feature());
    }
}
