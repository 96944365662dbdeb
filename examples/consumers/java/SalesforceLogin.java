import java.io.StringReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Function;

/** Logs in to Salesforce with what an agent rendered: once per version, and never again with one that was refused. */
public final class SalesforceLogin {
    private String refused = "";

    /**
     * A session to keep.
     *
     * @param rendered the file of agent/properties.hcl
     * @param version sf/version/ROLE at an agent or proxy of one's own, which adds the token
     * @param login one login, without a session renewer; empty where the answer is INVALID_LOGIN
     */
    public <S> S logIn(Path rendered, URI version, Function<Properties, Optional<S>> login) throws Exception {
        for (HttpClient vault = HttpClient.newHttpClient();; Thread.sleep(5000)) {
            Properties held = new Properties();
            held.load(new StringReader(Files.readString(rendered)));
            String now = vault.send(HttpRequest.newBuilder(version).build(), BodyHandlers.ofString()).body();
            String mine = held.getProperty("salesforce.version");
            boolean fresh = now.contains("\"changing\":false") && now.contains("\"version\":" + mine + "}");
            if (fresh && !mine.equals(refused)) {
                Optional<S> session = login.apply(held);
                if (session.isPresent()) {
                    return session.get();
                }
                refused = mine;
            }
        }
    }
}
