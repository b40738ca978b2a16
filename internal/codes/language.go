package codes

// Languages are those that women met on England's streets most often speak with a worker, with
// English first and the rest by name. Any other is und, which BCP 47 has for a language that is
// not named.
func Languages() List {
	const tag = "BCP 47"
	return List{
		{"en", "English", tag}, {"sq", "Albanian", tag}, {"am", "Amharic", tag}, {"ar", "Arabic", tag}, {"bn", "Bengali", tag},
		{"bfi", "British Sign Language", tag}, {"bg", "Bulgarian", tag}, {"zh", "Chinese", tag}, {"cs", "Czech", tag}, {"fr", "French", tag},
		{"hu", "Hungarian", tag}, {"it", "Italian", tag}, {"ku", "Kurdish", tag}, {"lv", "Latvian", tag}, {"lt", "Lithuanian", tag},
		{"fa", "Persian", tag}, {"pl", "Polish", tag}, {"pt", "Portuguese", tag}, {"pa", "Punjabi", tag}, {"rmy", "Romani", tag},
		{"ro", "Romanian", tag}, {"ru", "Russian", tag}, {"so", "Somali", tag}, {"es", "Spanish", tag}, {"sw", "Swahili", tag},
		{"th", "Thai", tag}, {"ti", "Tigrinya", tag}, {"tr", "Turkish", tag}, {"uk", "Ukrainian", tag}, {"ur", "Urdu", tag},
		{"vi", "Vietnamese", tag}, {"yo", "Yoruba", tag}, {"und", "another language", tag},
	}
}
