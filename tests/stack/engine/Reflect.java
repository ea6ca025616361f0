import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

/**
 * Calls by name into whichever engine is on the class path, so that one launcher, compiled once and against none of them,
 * starts all three. A method or constructor is found by its name and by arguments that fit, whatever its visibility.
 */
final class Reflect {
    private Reflect() {}

    static Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName(name);
    }

    /** The class, or null where this engine has none of that name. */
    static Class<?> typeOrNull(String name) {
        try {
            return Class.forName(name, false, Reflect.class.getClassLoader());
        } catch (ClassNotFoundException | LinkageError e) {
            return null;
        }
    }

    /** Calls a method of an object, or a static one where a class is given. */
    static Object call(Object on, String name, Object... arguments) throws Exception {
        Class<?> start = on instanceof Class<?> c ? c : on.getClass();
        for (Class<?> c = start; c != null; c = c.getSuperclass()) {
            for (Method method : c.getDeclaredMethods()) {
                if (method.getName().equals(name) && !method.isBridge() && fit(method.getParameterTypes(), arguments)) {
                    method.setAccessible(true);
                    try {
                        return method.invoke(on instanceof Class<?> ? null : on, arguments);
                    } catch (InvocationTargetException e) {
                        throw cause(e);
                    }
                }
            }
        }
        throw new NoSuchMethodException(start.getName() + "." + name + "/" + arguments.length);
    }

    static Object construct(Class<?> c, Object... arguments) throws Exception {
        for (Constructor<?> constructor : c.getDeclaredConstructors()) {
            if (fit(constructor.getParameterTypes(), arguments)) {
                constructor.setAccessible(true);
                try {
                    return constructor.newInstance(arguments);
                } catch (InvocationTargetException e) {
                    throw cause(e);
                }
            }
        }
        throw new NoSuchMethodException(c.getName() + "/" + arguments.length);
    }

    private static boolean fit(Class<?>[] parameters, Object[] arguments) {
        if (parameters.length != arguments.length) {
            return false;
        }
        for (int i = 0; i < parameters.length; i++) {
            Object argument = arguments[i];
            Class<?> wanted = MethodType.methodType(parameters[i]).wrap().returnType();
            if (argument == null ? parameters[i].isPrimitive() : !wanted.isInstance(argument)) {
                return false;
            }
        }
        return true;
    }

    private static Exception cause(InvocationTargetException e) {
        return e.getCause() instanceof Exception cause ? cause : e;
    }
}
