package schema_test

// examples are whole, well-formed contents of fictional women: each member of each document
// is in one of them. NHS numbers are of the range that is never issued.
func examples() map[string]string {
	return map[string]string{
		"identity": `{"schema":"identity/1","known_as":"Rowan","given_name":"Rowan","family_name":"Sample","other_names":["Ro"],"pronouns":"she, her",
			"date_of_birth":{"precision":"estimated","value":"1994"},"nhs_number":"9990000018"}`,
		"contact": `{"schema":"contact/1","phone":"+447700900123","email":"rowan@mail.example",
			"post":{"care_of":"The Larkfield day centre","lines":["1 Sample Street","London"],"postcode":"NW1 0DU"}}`,
		"safe-contact": `{"schema":"safe-contact/1","channel":"call","number":"+447700900123","app":"Signal","worker":{"called":"Cass","agency":"Sample street outreach",
			"phone":"+442079460123","email":"cass@outreach.example"},"device_shared":"no","device_monitored":"unknown","safe_days":["tuesday","friday"],"safe_from":"14:00",
			"safe_to":"16:30","voicemail":false,"text":false,"sender_name":"Jo from the library","code_word_hint":"a bird","if_someone_else_answers":"Ask for a wrong number, and end the call.",
			"if_dropped":"She calls back; do not call again.","do_not_visit":true,"trusted_contact":{"called":"Ida","relation":"friend","phone":"+447700900456","may_be_told":"that Jo called"},
			"not_safe_people":[{"called":"K","relation":"landlord","note":"answers in the evening"}],"last_confirmed":"2026-11-20","expires":"2026-12-04"}`,
		"need": `{"schema":"need/1","needs":[{"need":"housing","detail":"ground floor"},{"need":"advocacy"}],"summary":"A room of her own.","her_aim":"To sleep without being woken.",
			"safe_tonight":"no","since":{"precision":"month","value":"2026-10"},"not_wanted":"A mixed hostel."}`,
		"risk": `{"schema":"risk/1","harms":[{"type":"cuckooing","basis":"suspected","detail":"two men stay at her flat"}],"summary":"They may come back at night.","immediate_danger":"no",
			"feared":[{"called":"K","relation":"landlord","why":"he has a key"}],"dash":{"count":14,"on":"2026-11-18","because":["count-14-or-more","escalation"]},
			"to_workers":"Visit in pairs.","protective":"Her sister calls every day."}`,
		"health": `{"schema":"health/1","summary":"Asthma.","conditions":["asthma"],"medicines":["salbutamol"],"allergies":["penicillin"],"pregnant":"yes",
			"due":{"precision":"month","value":"2027-03"},"mental_health":"Sleeps badly.","substance_use":"None now.","gp_practice":"A1B2C"}`,
		"access-needs": `{"schema":"access-needs/1","languages":["so","en"],"interpreter":{"needed":"yes","language":"so","woman":"yes","not":"anybody from her town"},"reading":"yes",
			"hearing":"Speak to her left side.","sight":"Large print.","mobility":"ground-floor","women_only":"yes","pets":"a small dog","support":"Short visits."}`,
		"housing": `{"schema":"housing/1","eligibility":"unknown","now":"sofa-surfing","since":{"precision":"year","value":"2025"},"reason":"Asked to leave by the friend she stays with.",
			"ends_on":"2026-12-01","authority":"E09000007","connections":[{"authority":"E09000012","why":"work"}],"not_safe_in":["E09000025"],
			"household":{"adults":1,"children":1},"wanted":"Somewhere with a lock."}`,
		"children": `{"schema":"children/1","children":[{"age":4,"called":"T","lives_with":"with-her","school":"Sample nursery","safe":"yes"}],"expecting":"no",
			"social_care":{"involved":"yes","authority":"E09000012"},"summary":"He needs a nursery place near by."}`,
		"immigration": `{"schema":"immigration/1","status":"asylum-seeker","nationality":"XXX","public_funds":"no","leave_ends":"2027-01-31","nrm":"not-referred",
			"adviser":"Sample Law Centre","summary":"Wants advice before anything is sent."}`,
		"justice": `{"schema":"justice/1","orders":[{"kind":"non-molestation","for_her":"yes","ends":"2027-05-01"}],"dates":[{"on":"2026-12-09","what":"hearing, sample court"}],
			"reference":"CR-000","supporter":"A sample ISVA","summary":"Wants to be told before the hearing."}`,
		"location": `{"schema":"location/1","area":"E09000007","place":"By the canal, near the lock.","postcode":"ZZ99 3VZ","uprn":"100012345678","times":"early mornings",
			"seen":"2026-11-19","appearance":"A green coat.","approach":"Ask for Rowan; alone."}`,
		"history": `{"schema":"history/1","summary":"Came to London in the spring.","services":[{"service":"Sample day centre","from":{"precision":"year","value":"2025"},"still":"yes",
			"came_of_it":"A key worker."}],"helped":"The same worker each time.","did_not_help":"Appointments by post.","chain":{"state":"on-chain","number":"12345"}}`,
		"note": `{"schema":"note/1","text":"Keys on Monday."}`,
		"gp-refusal": `{"schema":"gp-refusal/1","id":"0190a1b2-0000-7000-8000-000000000001","practice":"A1B2C","refused_on":"2026-11-02","reason":"no-identification",
			"words":"No photo ID, no form.","asked_for":["photo-identification"],"referral":"R-7K3F-9Q2M","written_due":"2026-11-16","written_received":"2026-11-15",
			"escalated_on":"2026-11-17","escalated_to":"QMJ"}`,
	}
}
