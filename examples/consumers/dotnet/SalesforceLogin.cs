using System;
using System.Net.Http;
using System.Net.Http.Json;
using System.Text.Json;
using System.Threading.Tasks;

/// <summary>Logs in to Salesforce with what Vault holds: once per version, and never again with one that was refused.</summary>
/// <param name="vault">With Vault's address, and the token in the header X-Vault-Token.</param>
public sealed class SalesforceLogin(HttpClient vault)
{
    private int refused;

    /// <summary>A session to keep.</summary>
    /// <param name="login">One login with the credential; null where the answer is INVALID_LOGIN.</param>
    public async Task<T> LogIn<T>(string role, Func<JsonElement, Task<T?>> login) where T : class
    {
        for (;; await Task.Delay(TimeSpan.FromSeconds(5)))
        {
            JsonElement held = await Read($"static-creds/{role}"), now = await Read($"version/{role}");
            int version = held.GetProperty("version").GetInt32();
            bool fresh = now.GetProperty("version").GetInt32() == version && !now.GetProperty("changing").GetBoolean();
            if (!fresh || version == refused) continue;
            if (await login(held) is T session) return session;
            refused = version;
        }
    }

    private async Task<JsonElement> Read(string path) =>
        (await vault.GetFromJsonAsync<JsonElement>($"v1/sf/{path}")).GetProperty("data");
}
