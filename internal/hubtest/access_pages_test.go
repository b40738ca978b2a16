package hubtest_test

// pages are the pages for people, which docs/openapi.json does not describe: for "anybody", for
// whoever is signed in, or for who has one of the scopes named. Strangers are sent to sign in.
const pages = `
	GET  /                                             page anybody
	GET  /static/{file}                                page anybody
	GET  /help                                         page anybody
	GET  /accessibility                                page anybody
	POST /session                                      page
	GET  /sign-in                                      page anybody
	GET  /sign-in/{partner}                            page anybody
	GET  /oauth/authorize                              page
	POST /oauth/authorize                              page
	GET  /sign-in/{partner}/provider                   page anybody
	GET  /sign-in/provider/callback                    page anybody
	GET  /join                                         page anybody
	GET  /step-up/provider                             page
	GET  /step-up                                      page
	POST /sign-out                                     page
	GET  /account                                      page
	POST /account/sign-out-everywhere                  page
	POST /account/sessions/{session}/end               page
	POST /account/passkeys/{passkey}/remove            page
	POST /account/notices/{notice}/dismiss             page
	GET  /inbox                                         page referrals:receive
	POST /inbox                                         page referrals:receive
	GET  /inbox/live                                    page referrals:receive
	GET  /sent                                          page referrals:send
	POST /sent                                          page referrals:send
	GET  /referrals/{referral}/assign                   page referrals:receive referrals:send
	POST /referrals/{referral}/assign                   page referrals:receive referrals:send
	GET  /referrals/{referral}/assign/claim             page referrals:receive referrals:send
	POST /referrals/{referral}/assign/claim             page referrals:receive referrals:send
	GET  /referrals/{referral}                          page referrals:receive referrals:send
	GET  /referrals/{referral}/open                     page referrals:receive referrals:send
	POST /referrals/{referral}/open                     page referrals:receive referrals:send
	GET  /referrals/{referral}/print                    page referrals:receive referrals:send
	POST /referrals/{referral}/print                    page referrals:receive referrals:send
	GET  /referrals/{referral}/messages                 page referrals:receive referrals:send
	POST /referrals/{referral}/messages                 page referrals:receive referrals:send
	GET  /referrals/{referral}/decide                   page referrals:receive referrals:send
	POST /referrals/{referral}/decide                   page referrals:receive referrals:send
	GET  /referrals/{referral}/decide/{event}           page referrals:receive referrals:send
	POST /referrals/{referral}/decide/{event}           page referrals:receive referrals:send
	GET  /referrals/{referral}/chain/{digest}           page referrals:receive referrals:send
	POST /referrals/{referral}/chain/{digest}           page referrals:receive referrals:send
	POST /referrals/{referral}/chain/{digest}/file      page referrals:receive referrals:send
	GET  /referrals/{referral}/chain/{digest}/receipt.json page referrals:receive referrals:send
	GET  /referrals/{referral}/chain/{digest}/proof.txt page referrals:receive referrals:send
	GET  /recalls                                       page referrals:receive referrals:send
	GET  /recalls/{recall}                              page referrals:receive referrals:send
	POST /recalls/{recall}                              page referrals:receive referrals:send
	GET  /agency                                        page partner:admin services:write
	GET  /agency/people                                 page partner:admin
	GET  /agency/people/add                             page partner:admin
	POST /agency/people/add                             page partner:admin
	GET  /agency/people/{user}/role                     page partner:admin
	POST /agency/people/{user}/role                     page partner:admin
	GET  /agency/people/{user}/link                     page partner:admin
	POST /agency/people/{user}/link                     page partner:admin
	GET  /agency/people/{user}/suspend                  page partner:admin
	POST /agency/people/{user}/suspend                  page partner:admin
	GET  /agency/people/{user}/resume                   page partner:admin
	POST /agency/people/{user}/resume                   page partner:admin
	GET  /agency/people/{user}/remove                   page partner:admin
	POST /agency/people/{user}/remove                   page partner:admin
	GET  /agency/people/{user}/sign-out                 page partner:admin
	POST /agency/people/{user}/sign-out                 page partner:admin
	GET  /agency/people/{user}                          page partner:admin
	GET  /agency/systems                                page partner:admin
	GET  /agency/systems/{client}                       page partner:admin
	GET  /agency/systems/add                            page partner:admin
	POST /agency/systems/add                            page partner:admin
	GET  /agency/systems/{client}/suspend               page partner:admin
	POST /agency/systems/{client}/suspend               page partner:admin
	GET  /agency/systems/{client}/resume                page partner:admin
	POST /agency/systems/{client}/resume                page partner:admin
	GET  /agency/keys                                   page partner:admin
	GET  /agency/keys/{kid}                             page partner:admin
	GET  /agency/keys/{kid}/touched                     page partner:admin
	GET  /agency/keys/{kid}/revoke                      page partner:admin
	POST /agency/keys/{kid}/revoke                      page partner:admin
	GET  /agency/agreements                             page partner:admin referrals:send referrals:receive audit:read
	GET  /agency/agreements/propose                     page partner:admin
	POST /agency/agreements/propose                     page partner:admin
	GET  /agency/agreements/{agreement}                 page partner:admin referrals:send referrals:receive audit:read
	GET  /agency/agreements/{agreement}/sign            page partner:admin
	POST /agency/agreements/{agreement}/sign            page partner:admin
	GET  /agency/agreements/{agreement}/refuse          page partner:admin
	POST /agency/agreements/{agreement}/refuse          page partner:admin
	GET  /agency/agreements/{agreement}/end             page partner:admin
	POST /agency/agreements/{agreement}/end             page partner:admin
	GET  /agency/services                               page services:write
	GET  /agency/services/add                           page services:write
	POST /agency/services/add                           page services:write
	GET  /agency/services/{service}/change              page services:write
	POST /agency/services/{service}/change              page services:write
	GET  /agency/services/{service}/capacity            page services:write
	POST /agency/services/{service}/capacity            page services:write
	GET  /agency/webhooks                               page partner:admin
	GET  /agency/webhooks/add                           page partner:admin
	POST /agency/webhooks/add                           page partner:admin
	GET  /agency/webhooks/{webhook}                     page partner:admin
	GET  /agency/webhooks/{webhook}/test                page partner:admin
	POST /agency/webhooks/{webhook}/test                page partner:admin
	GET  /agency/webhooks/{webhook}/new-secret          page partner:admin
	POST /agency/webhooks/{webhook}/new-secret          page partner:admin
	GET  /agency/webhooks/{webhook}/pause               page partner:admin
	POST /agency/webhooks/{webhook}/pause               page partner:admin
	GET  /agency/webhooks/{webhook}/resume              page partner:admin
	POST /agency/webhooks/{webhook}/resume              page partner:admin
	GET  /agency/webhooks/{webhook}/remove              page partner:admin
	POST /agency/webhooks/{webhook}/remove              page partner:admin
	GET  /agency/webhooks/{webhook}/deliveries/{delivery}/replay page partner:admin
	POST /agency/webhooks/{webhook}/deliveries/{delivery}/replay page partner:admin
	GET  /audit                                        page audit:read
	GET  /audit/consents                               page audit:read
	POST /audit/consents                               page audit:read
	GET  /audit/openings                               page audit:read
	POST /audit/openings                               page audit:read
	GET  /audit/refusals                               page audit:read
	POST /audit/refusals                               page audit:read
	GET  /audit/entries                                page audit:read
	POST /audit/entries                                page audit:read
	GET  /audit/overrides                              page audit:read
	GET  /audit/review                                 page audit:read
	GET  /audit/entry/{entry}                          page audit:read
	GET  /audit/entry/{entry}/proof                    page audit:read
	GET  /audit/entry/{entry}/receipt                  page audit:read
	GET  /audit/export                                 page audit:read
	POST /audit/export                                 page audit:read
	GET  /services                                      page
	POST /services                                      page
	GET  /send                                          page referrals:send
	POST /send                                          page referrals:send
	GET  /send/under-18                                 page referrals:send
	GET  /send/sent/{referral}                          page referrals:send
	GET  /send/{draft}                                  page referrals:send
	GET  /send/{draft}/delete                           page referrals:send
	POST /send/{draft}/delete                           page referrals:send
	GET  /send/{draft}/find                             page referrals:send
	POST /send/{draft}/find                             page referrals:send
	GET  /send/{draft}/choose                           page referrals:send
	POST /send/{draft}/choose                           page referrals:send
	GET  /send/{draft}/urgency                          page referrals:send
	POST /send/{draft}/urgency                          page referrals:send
	GET  /send/{draft}/check                            page referrals:send
	GET  /send/{draft}/warning                          page referrals:send
	POST /send/{draft}/send                             page referrals:send
	GET  /send/{draft}/about/{section}                  page referrals:send
	POST /send/{draft}/about/{section}                  page referrals:send
	GET  /send/{draft}/about/{section}/{question}       page referrals:send
	POST /send/{draft}/about/{section}/{question}       page referrals:send
`
