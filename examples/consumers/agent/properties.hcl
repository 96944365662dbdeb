# For java.util.Properties, where a backslash stands for more than itself and a value begins after its spaces.
template {
  destination          = "/run/crm/salesforce.properties"
  perms                = "0400"
  error_on_missing_key = true
  contents             = <<-EOT
    {{ with secret `sf/static-creds/crm` -}}
    salesforce.username={{ .Data.username | replaceAll "\\" "\\\\" }}
    salesforce.password={{ .Data.password | replaceAll "\\" "\\\\" | replaceAll " " "\\ " }}
    salesforce.securityToken={{ .Data.security_token }}
    salesforce.loginUrl={{ .Data.login_url }}
    salesforce.version={{ .Data.version }}
    {{ end }}
  EOT
}
