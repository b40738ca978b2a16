package signin

import "strings"

// device says in coarse words what a browser is, as "Chrome on Android": enough for her to
// tell her phone from the office computer, too little to know a device again. Of what the
// browser sends no other word is kept.
func device(userAgent string) string {
	return browser(userAgent) + " on " + system(userAgent)
}

// browser names the browser. The order counts: nearly all of them claim to be Safari, and
// those built on Chrome claim to be Chrome.
func browser(userAgent string) string {
	for _, b := range []struct{ sign, name string }{
		{"SamsungBrowser/", "Samsung Internet"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edg/", "Edge"},
		{"OPR/", "Opera"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	} {
		if strings.Contains(userAgent, b.sign) {
			return b.name
		}
	}
	return "A browser"
}

func system(userAgent string) string {
	for _, s := range []struct{ sign, name string }{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "Chromebook"},
		{"Macintosh", "Mac"}, {"Linux", "Linux"},
	} {
		if strings.Contains(userAgent, s.sign) {
			return s.name
		}
	}
	return "another device"
}
