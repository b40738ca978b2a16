package proof

func webhookActs() []Act {
	return []Act{
		{"webhook.add", "added a webhook", false},
		{"webhook.rotate", "made a new secret for a webhook", false},
		{"webhook.pause", "paused a webhook", false},
		{"webhook.resume", "let a webhook go on", false},
		{"webhook.disable", "stopped a webhook that nobody answered", false},
		{"webhook.remove", "removed a webhook", false},
		{"webhook.test", "sent a test to a webhook", false},
		{"webhook.replay", "had a delivery to a webhook sent again", false},
	}
}
