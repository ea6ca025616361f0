import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The answer to `GET /` of Elasticsearch 9, which comes from a module that is not on Maven Central: clients look there for
 * the version. The fields are Elasticsearch's own, with the running node's values. All other answers are the engine's.
 */
final class RootPage {
    private RootPage() {}

    static void register(Object injector, Map<String, String> settings) throws Exception {
        Object cluster = Reflect.call(injector, "getInstance", Engine.type("cluster.service.ClusterService"));
        Object controller = Reflect.call(injector, "getInstance", Engine.type("rest.RestController"));
        Class<?> handlerType = Engine.type("rest.RestHandler");
        Class<?> methodType = Engine.type("rest.RestRequest$Method");
        Object handler = Proxy.newProxyInstance(
                RootPage.class.getClassLoader(), new Class<?>[] {handlerType}, (self, method, arguments) -> {
                    if (method.getDeclaringClass() == Object.class) {
                        return objectMethod(self, method, arguments);
                    }
                    if (!method.getName().equals("handleRequest")) {
                        return InvocationHandler.invokeDefault(self, method, arguments == null ? new Object[0] : arguments);
                    }
                    answer(arguments[1], page(cluster, settings));
                    return null;
                });
        for (String name : new String[] {"GET", "HEAD"}) {
            Object route = Reflect.construct(Engine.type("rest.RestHandler$Route"), methodType.getField(name).get(null), "/");
            Reflect.call(controller, "registerHandler", route, handler);
        }
    }

    private static Object objectMethod(Object self, Method method, Object[] arguments) {
        return switch (method.getName()) {
            case "toString" -> "root page";
            case "hashCode" -> System.identityHashCode(self);
            default -> self == arguments[0];
        };
    }

    private static void answer(Object channel, Map<String, Object> page) throws Exception {
        Class<?> channelType = Engine.type("rest.RestChannel");
        Class<?> responseType = Engine.type("rest.RestResponse");
        Object builder = channelType.getMethod("newBuilder").invoke(channel);
        Object body = Reflect.call(Reflect.call(builder, "prettyPrint"), "map", page);
        Object ok = Engine.type("rest.RestStatus").getField("OK").get(null);
        channelType.getMethod("sendResponse", responseType).invoke(channel, Reflect.construct(responseType, ok, body));
    }

    private static Map<String, Object> page(Object cluster, Map<String, String> settings) throws Exception {
        Object build = Reflect.call(Engine.type("Build"), "current");
        Map<String, Object> version = new LinkedHashMap<>();
        version.put("number", Reflect.call(build, "qualifiedVersion"));
        version.put("build_flavor", Reflect.call(build, "flavor"));
        version.put("build_type", Reflect.call(Reflect.call(build, "type"), "displayName"));
        version.put("build_hash", Reflect.call(build, "hash"));
        version.put("build_date", Reflect.call(build, "date"));
        version.put("build_snapshot", Reflect.call(build, "isSnapshot"));
        version.put("lucene_version", Reflect.type("org.apache.lucene.util.Version").getField("LATEST").get(null).toString());
        version.put("minimum_wire_compatibility_version", Reflect.call(build, "minWireCompatVersion"));
        version.put("minimum_index_compatibility_version", Reflect.call(build, "minIndexCompatVersion"));
        Map<String, Object> page = new LinkedHashMap<>();
        page.put("name", settings.get("node.name"));
        page.put("cluster_name", settings.get("cluster.name"));
        page.put("cluster_uuid", Reflect.call(Reflect.call(Reflect.call(cluster, "state"), "metadata"), "clusterUUID").toString());
        page.put("version", version);
        page.put("tagline", "You Know, for Search");
        return page;
    }
}
