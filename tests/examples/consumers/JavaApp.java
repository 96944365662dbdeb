import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;

/** Tells each login that the example makes, and has the first version refused. */
public final class JavaApp {
    public static void main(String[] given) throws Exception {
        String session = new SalesforceLogin().logIn(Path.of(given[0]), URI.create(given[1]), held -> {
            System.out.println(held.getProperty("salesforce.version") + " " + held.getProperty("salesforce.password"));
            return held.getProperty("salesforce.version").equals("1") ? Optional.empty() : Optional.of("in");
        });
        System.out.println(session);
    }
}
