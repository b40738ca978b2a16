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
	GET  /referrals/{referral}/chain/{digest}/receipt.json page referrals:receive referrals:send
	GET  /referrals/{referral}/chain/{digest}/proof.txt page referrals:receive referrals:send
	GET  /recalls                                       page referrals:receive referrals:send
	GET  /recalls/{recall}                              page referrals:receive referrals:send
	POST /recalls/{recall}                              page referrals:receive referrals:send
`
