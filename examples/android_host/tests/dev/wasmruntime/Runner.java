package dev.wasmruntime;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Comparator;

/** Runs the tests of the suites that the arguments name. */
public final class Runner {
    private int passed;
    private int failed;

    public static void main(String[] args) throws Exception {
        Runner runner = new Runner();
        for (String name : args) {
            runner.runAll((Suite) Class.forName("dev.wasmruntime." + name).getDeclaredConstructor().newInstance());
        }
        System.out.println(runner.passed + " passed, " + runner.failed + " failed");
        System.exit(runner.failed == 0 && runner.passed > 0 ? 0 : 1);
    }

    private void runAll(Suite suite) throws Exception {
        Method[] methods = suite.getClass().getDeclaredMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        for (Method method : methods) {
            boolean isTest = method.getParameterCount() == 0 && method.getReturnType() == void.class
                    && (method.getModifiers() & (Modifier.PRIVATE | Modifier.STATIC)) == 0;
            if (isTest) {
                run(suite, method);
            }
        }
    }

    private void run(Suite suite, Method method) throws Exception {
        System.out.print("test " + method.getName() + " ... ");
        try {
            method.invoke(suite);
            System.out.println("ok");
            passed++;
        } catch (InvocationTargetException error) {
            System.out.println("FAILED");
            error.getCause().printStackTrace(System.out);
            failed++;
        }
    }
}
