package people

import "testing"

// TestARedirectAddsNothingToThePolicy: what a system wrote is an origin, or left out.
func TestARedirectAddsNothingToThePolicy(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{
		"http://127.0.0.1:4711":                   "http://127.0.0.1:4711",
		"https://a.example":                       "https://a.example",
		"https://[2001:db8::1]:4711":              "https://[2001:db8::1]:4711",
		"https://a.example; script-src *":         "",
		"https://a.example *":                     "",
		"https://*.example":                       "",
		"https://a.example,https://b.example":     "",
		"javascript:alert(1)":                     "",
		"":                                        "",
		"https://a.example/path?x; script-src 'x": "https://a.example",
	} {
		if got := originOf(origin); got != want {
			t.Errorf("%q may lead to %q, want %q", origin, got, want)
		}
	}
}
