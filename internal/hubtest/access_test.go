package hubtest_test

// access says who may use each route of programs: "public", "any" caller, who has one of the
// scopes, "session": a person signed in on the hub's pages. The pages themselves are in
// access_pages_test.go.
const access = `
	GET  /.well-known/oauth-authorization-server  public
	POST /oauth/token                             public
	POST /oauth/par                               public
	POST /oauth/revoke                            public
	POST /oauth/introspect                        public
	POST /oauth/register                          public
	GET  /oauth/jwks.json                         public
	GET  /openapi.json                            public
	GET  /problems/{code}                         public
	GET  /livez                                   public
	GET  /readyz                                  public
	POST /sign-in/passkey/options                 public
	POST /sign-in/passkey                         public
	POST /sign-in/join/options                    public
	POST /sign-in/join                            public
	POST /sign-in/step-up/options                 session
	POST /sign-in/step-up                         session
	POST /sign-in/passkeys/options                session
	POST /sign-in/passkeys                        session
	GET  /v1/log/checkpoint                       public
	GET  /v1/log/key                              public
	GET  /v1/log/successions                      public
	GET  /v1/log/witnesses                        public
	GET  /v1/hub/jwks.json                        public
	GET  /v1/hub/webhook-keys                     public
	GET  /v1/schemas                              public
	GET  /v1/schemas/{describes}/{version}        public
	GET  /v1/pathways                             public
	GET  /v1/firewall                             public
	POST /v1/enrol                                public
	GET  /v1/people                               partner:admin
	POST /v1/people                               partner:admin
	POST /v1/people/{user}/role                   partner:admin
	POST /v1/people/{user}/suspend                partner:admin
	POST /v1/people/{user}/resume                 partner:admin
	POST /v1/people/{user}/recover                partner:admin
	POST /v1/people/{user}/sign-out               partner:admin
	GET  /v1/people/{user}/referrals              partner:admin
	POST /v1/people/{user}/remove                 partner:admin
	GET  /v1/clients                              partner:admin
	POST /v1/clients/invitations                  partner:admin
	POST /v1/clients/{client}/suspend             partner:admin
	POST /v1/clients/{client}/resume              partner:admin
	GET  /v1/keys                                 partner:admin
	POST /v1/keys                                 partner:admin
	POST /v1/keys/{kid}/revoke                    partner:admin
	GET  /v1/stream                               referrals:receive referrals:send
	GET  /v1/webhooks                             partner:admin
	POST /v1/webhooks                             partner:admin
	GET  /v1/webhooks/{webhook}                   partner:admin
	POST /v1/webhooks/{webhook}/test              partner:admin
	POST /v1/webhooks/{webhook}/rotate            partner:admin
	POST /v1/webhooks/{webhook}/pause             partner:admin
	POST /v1/webhooks/{webhook}/resume            partner:admin
	GET  /v1/webhooks/{webhook}/deliveries        partner:admin
	POST /v1/webhooks/{webhook}/deliveries/{delivery}/replay  partner:admin
	POST /v1/webhooks/{webhook}/remove            partner:admin
	GET  /v1/keys/{kid}/packets                   partner:admin
	GET  /v1/keys/{kid}/consents                  partner:admin
	GET  /v1/log/entries                          audit:read
	GET  /v1/log/export                           audit:read
	GET  /v1/log/review                           audit:read
	GET  /v1/log/proof                            any
	GET  /v1/log/tile/{tile:.+}                   any
	GET  /v1/partners                             any
	GET  /v1/partners/{partner}                   any
	GET  /v1/partners/{partner}/jwks.json         any
	GET  /v1/partners/{partner}/keys              any
	GET  /v1/services                             any
	POST /v1/services                             services:write
	POST /v1/services/{service}                   services:write
	POST /v1/services/{service}/capacity          services:write
	GET  /v1/agreements                           any
	POST /v1/agreements                           partner:admin
	GET  /v1/agreements/{agreement}               any
	POST /v1/agreements/{agreement}/sign          partner:admin
	POST /v1/agreements/{agreement}/refuse        partner:admin
	POST /v1/agreements/{agreement}/end           partner:admin
	GET  /v1/consents                             consents:write
	GET  /v1/consents/{consent}/holders           consents:write audit:read
	GET  /v1/recalls                              referrals:receive referrals:send audit:read
	POST /v1/recalls/{recall}/answer              referrals:receive referrals:send
	GET  /v1/consents/{consent}                   any
	POST /v1/consents                             consents:write
	GET  /v1/nevers                               consents:write
	POST /v1/nevers                               consents:write
	POST /v1/nevers/{never}/lift                  consents:write
	POST /v1/consents/{consent}/withdraw          consents:write
	POST /v1/consents/{consent}/review            consents:override
	POST /v1/overrides                            consents:override
	GET  /v1/overrides                            audit:read
	GET  /v1/overrides/{override}                 any
	POST /v1/overrides/{override}/decision        consents:override
	POST /v1/overrides/{override}/review          consents:override
	POST /v1/police-requests                      referrals:send
	GET  /v1/police-requests                      referrals:send referrals:receive audit:read
	GET  /v1/police-requests/{request}            referrals:send referrals:receive audit:read
	POST /v1/police-requests/{request}/open       referrals:receive
	POST /v1/police-requests/{request}/decision   consents:override
	POST /v1/referrals                            referrals:send
	GET  /v1/referrals                            referrals:send referrals:receive
	GET  /v1/inbox                                referrals:receive
	GET  /v1/referrals/{referral}                 referrals:send referrals:receive
	GET  /v1/referrals/{referral}/events          referrals:send referrals:receive
	POST /v1/referrals/{referral}/events          referrals:send referrals:receive
	POST /v1/referrals/{referral}/open            referrals:send referrals:receive
	GET  /v1/referrals/{referral}/attachments/{section}/{number}  referrals:send referrals:receive
	GET  /v1/attachments/{packet}/{section}           referrals:send
	PUT  /v1/attachments/{packet}/{section}/{number}  referrals:send
	POST /v1/custody/takings                      partner:admin
	POST /v1/custody/take                         public
	GET  /v1/custody/keys                         any
	POST /v1/custody/confirm                      any
	POST /v1/custody/givings                      partner:admin
	POST /v1/custody/givings/{move}               partner:admin
	POST /v1/managed/referrals                    referrals:send
	POST /v1/managed/referrals/{referral}/events  referrals:send referrals:receive
	POST /v1/managed/referrals/{referral}/open    referrals:send referrals:receive
	POST /v1/managed/recalls/{recall}/answer      referrals:send referrals:receive
	POST /v1/managed/consents                     consents:write
	POST /v1/managed/nevers                       consents:write
	POST /v1/managed/nevers/{never}/lift          consents:write
	POST /v1/managed/consents/{consent}/withdraw  consents:write
	POST /v1/managed/consents/{consent}/review    consents:override
	POST /v1/managed/agreements                   partner:admin
	POST /v1/managed/agreements/{agreement}/sign    partner:admin
	POST /v1/managed/agreements/{agreement}/refuse  partner:admin
	POST /v1/managed/agreements/{agreement}/end     partner:admin
	POST /v1/managed/overrides                    consents:override
	POST /v1/managed/overrides/{override}/open      consents:override
	POST /v1/managed/overrides/{override}/decision  consents:override
	POST /v1/managed/overrides/{override}/review    consents:override
`
