# For systemd's EnvironmentFile, and for `set -a; . salesforce.env` in a shell.
template {
  destination          = "/run/crm/salesforce.env"
  perms                = "0400"
  error_on_missing_key = true
  contents             = <<-EOT
    {{ with secret `sf/static-creds/crm` -}}
    SALESFORCE_USERNAME='{{ .Data.username | replaceAll "'" "'\\''" }}'
    SALESFORCE_PASSWORD='{{ .Data.password | replaceAll "'" "'\\''" }}'
    SALESFORCE_SECURITY_TOKEN='{{ .Data.security_token }}'
    SALESFORCE_LOGIN_URL='{{ .Data.login_url }}'
    SALESFORCE_VERSION='{{ .Data.version }}'
    {{ end }}
  EOT
}
