template {
  destination          = "/run/crm/salesforce.json"
  contents             = "{{ with secret `sf/static-creds/crm` }}{{ .Data | toJSON }}{{ end }}"
  perms                = "0400"
  error_on_missing_key = true
}
