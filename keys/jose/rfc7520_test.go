package jose

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// The examples of RFC 7520 use algorithms, forms or parameters that the gate has no room
// for. Each is opened by the library first, which shows that it stands here as it stands
// there, and is then refused. The one signature in the whole document that the gate has the
// algorithm for, that of §6, is verified.

const (
	dangerous = "It\u2019s a dangerous business, Frodo, going out your door. You step onto the road, and if you don't keep your feet, there\u2019s no knowing where you might be swept off to."
	trust     = "You can trust us to stick with you through thick and thin\u2013to the bitter end. And you can trust us to keep any secret of yours\u2013closer than you keep it yourself. But you cannot trust us to let you face trouble alone, and go off without a word. We are your friends, Frodo."

	bilboRSA   = `{"kty":"RSA","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}`
	bilboEC    = `{"kty":"EC","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}`
	hmacKey    = `{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}`
	peregrin   = `{"kty":"EC","crv":"P-384","x":"YU4rRUzdmVqmRtWOs2OpDE_T5fsNIodcG8G5FWPrTPMyxpzsSOGaQLpe2FpxBmu2","y":"A8-yxCHxkfBz3hKZfI1jUYMjUhsEveZ9THuwFjH2sCNdtksRJU7D5-SkgaFL1ETP","d":"iTx2pk7wW-GqJkHcEkFQb2EFyYcO7RugmaW3mRrQVAOUiPommT0IdnYK2xDlZh-j"}`
	meriadoc   = `{"kty":"EC","crv":"P-256","x":"Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0","y":"HlLtdXARY_f55A3fnzQbPcm6hgr34Mp8p-nuzQCE0Zw","d":"r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8"}`
	directKey  = `{"kty":"oct","k":"XctOhJAkA-pD9Lh7ZgW_2A"}`
	gcmWrapKey = `{"kty":"oct","k":"qC57l_uxcm7Nm3K-ct4GFjx8tM1U8CZ0NLBvdQstiS8"}`
	wrapKey128 = `{"kty":"oct","k":"GZy6sIZ6wl9NJOKB-jnmVQ"}`
)

// theirKey is a key as the library reads it.
func theirKey(t *testing.T, text string) any {
	t.Helper()
	key, err := jwk.ParseKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var raw any
	if err := key.Raw(&raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRFC7520SignaturesAreRightAndRefused(t *testing.T) {
	const hmacID = `"018c0ae5-4d9b-471b-bfd6-eef314bc7037"`
	compact := func(header, signature string) string {
		return b64([]byte(header)) + "." + b64([]byte(dangerous)) + "." + signature
	}
	object := func(signatures string) string {
		return fmt.Sprintf(`{"payload":"%s","signatures":[%s]}`, b64([]byte(dangerous)), signatures)
	}
	const (
		bareHMAC  = "xuLifqLGiblpv9zBpuZczWhNj1gARaLV3UxvxhJxZuk"
		bareECDSA = "ARcVLnaJJaUWG8fG-8t5BREVAuTY8n8YHjwDO1muhcdCoFZFFjfISu0Cdkn9Ybdlmi54ho0x924DUz8sK7ZXkhc7AFM8ObLfTvNCrqcI3Jkl2U5IX3utNhODH6v7xgy1Qahsn0fyb4zSAkje8bAWz4vIfj5pCMYxxm4fgV3q7ZYhm5eD"
		hs256     = "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
		three     = `{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{"kid":"bilbo.baggins@hobbiton.example"},"signature":"MIsjqtVlOpa71KE-Mss8_Nq2YH4FGhiocsqrgi5NvyG53uoimic1tcMdSg-qptrzZc7CG6Svw2Y13TDIqHzTUrL_lR2ZFcryNFiHkSw129EghGpwkpxaTn_THJTCglNbADko1MZBCdwzJxwqZc-1RlpO2HibUYyXSwO97BSe0_evZKdjvvKSgsIqjytKSeAMbhMBdMma622_BG5t4sdbuCHtFjp9iJmkio47AIwqkZV1aIZsv33uPUqBBCXbYoQJwt7mxPftHmNlGoOSMxR_3thmXTCm4US-xiNOyhbm8afKK64jU6_TPtQHiJeQJxz9G3Tx-083B745_AfYOnlC9w"},` +
			`{"header":{"alg":"ES512","kid":"bilbo.baggins@hobbiton.example"},"signature":"` + bareECDSA + `"},` +
			`{"protected":"eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9","signature":"` + hs256 + `"}`
	)
	detached := strings.Split(compact(`{"alg":"HS256","kid":`+hmacID+`}`, hs256), ".")

	for _, v := range []struct {
		section   string
		alg       jwa.SignatureAlgorithm
		key       string
		token     string
		want      error
		signature string // of one without a protected header
	}{
		{"4.1 RSA v1.5", jwa.RS256, bilboRSA, compact(`{"alg":"RS256","kid":"bilbo.baggins@hobbiton.example"}`, "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"), ErrAlgorithm, ""},
		{"4.2 RSA-PSS, with SHA-384", jwa.PS384, bilboRSA, compact(`{"alg":"PS384","kid":"bilbo.baggins@hobbiton.example"}`, "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"), ErrAlgorithm, ""},
		{"4.3 ECDSA, on P-521", jwa.ES512, bilboEC, compact(`{"alg":"ES512","kid":"bilbo.baggins@hobbiton.example"}`, "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"), ErrAlgorithm, ""},
		{"4.4 HMAC", jwa.HS256, hmacKey, compact(`{"alg":"HS256","kid":`+hmacID+`}`, hs256), ErrAlgorithm, ""},
		{"4.5 detached content", jwa.HS256, hmacKey, detached[0] + ".." + detached[2], ErrMalformed, ""},
		{"4.6 a header half protected", jwa.HS256, hmacKey, object(`{"protected":"eyJhbGciOiJIUzI1NiJ9","header":{"kid":` + hmacID + `},"signature":"bWUSVaxorn7bEF1djytBd0kHv70Ly5pvbomzMWSOr20"}`), ErrMalformed, ""},
		{"4.7 a header unprotected", jwa.HS256, hmacKey, object(`{"header":{"alg":"HS256","kid":` + hmacID + `},"signature":"` + bareHMAC + `"}`), ErrMalformed, bareHMAC},
		{"4.8 three signatures: the first", jwa.RS256, bilboRSA, object(three), ErrMalformed, ""},
		{"4.8 three signatures: the second", jwa.ES512, bilboEC, object(three), ErrMalformed, bareECDSA},
		{"4.8 three signatures: the third", jwa.HS256, hmacKey, object(three), ErrMalformed, ""},
	} {
		t.Run(v.section, func(t *testing.T) {
			options := []jws.VerifyOption{jws.WithKey(v.alg, theirKey(t, v.key))}
			if strings.Contains(v.token, "..") {
				options = append(options, jws.WithDetachedPayload([]byte(dangerous)))
			}
			if v.signature != "" { // under no protected header, which the library cannot verify by itself
				verifier, err := jws.NewVerifier(v.alg)
				if err != nil {
					t.Fatal(err)
				}
				signature, err := base64url.DecodeString(v.signature)
				if err != nil {
					t.Fatal(err)
				}
				if err := verifier.Verify([]byte("."+b64([]byte(dangerous))), signature, theirKey(t, v.key)); err != nil {
					t.Errorf("the library: %v: it does not stand here as it stands there", err)
				}
			} else if payload, err := jws.Verify([]byte(v.token), options...); err != nil || string(payload) != dangerous {
				t.Errorf("the library: %q, %v: it does not stand here as it stands there", payload, err)
			}
			if _, err := ParseSigned(v.token, 8<<10, "", "JWT"); !errors.Is(err, v.want) {
				t.Errorf("ParseSigned: %v, want %v", err, v.want)
			}
			if _, err := ParseAssertion(v.token, 8<<10); !errors.Is(err, v.want) {
				t.Errorf("ParseAssertion: %v, want %v", err, v.want)
			}
		})
	}
}

// sealedExamples are those in the compact serialization, and in JSON where there is no
// other. header is what the gate says to the header over parts of the right sizes.
func sealedExamples() []sealedExample {
	return []sealedExample{
		{"5.3 PBES2", jwa.PBES2_HS512_A256KW, "", keysPlain, `{"alg":"PBES2-HS512+A256KW","p2s":"8Q1SzinasR3xchYz6ZZcHA","p2c":8192,"cty":"jwk-set+json","enc":"A128CBC-HS256"}`, ErrHeader,
			"d3qNhUWfqheyPp4H8sjOWsDYajoej4c5Je6rlUtFPWdgtURtmeDV1g.VBiCzVHNoLiR3F4V82uoTQ.23i-Tb1AV4n0WKVSSgcQrdg6GRqsUKxjruHXYsTHAJLZ2nsnGIX86vMXqIi6IRsfywCRFzLxEcZBRnTvG3nhzPk0GDD7FMyXhUHpDjEYCNA_XOmzg8yZR9oyjo6lTF6si4q9FZ2EhzgFQCLO_6h5EVg3vR75_hkBsnuoqoM3dwejXBtIodN84PeqMb6asmas_dpSsz7H10fC5ni9xIz424givB1YLldF6exVmL93R3fOoOJbmk2GBQZL_SEGllv2cQsBgeprARsaQ7Bq99tT80coH8ItBjgV08AtzXFFsx9qKvC982KLKdPQMTlVJKkqtV4Ru5LEVpBZXBnZrtViSOgyg6AiuwaS-rCrcD_ePOGSuxvgtrokAKYPqmXUeRdjFJwafkYEkiuDCV9vWGAi1DH2xTafhJwcmywIyzi4BqRpmdn_N-zl5tuJYyuvKhjKv6ihbsV_k1hJGPGAxJ6wUpmwC4PTQ2izEm0TuSE8oMKdTw8V3kobXZ77ulMwDs4p.0HlwodAhOCILG5SQ2LQ9dg"},
		{"5.4 ECDH-ES+A128KW on P-384", jwa.ECDH_ES_A128KW, peregrin, trust, `{"alg":"ECDH-ES+A128KW","kid":"peregrin.took@tuckborough.example","epk":{"kty":"EC","crv":"P-384","x":"uBo4kHPw6kbjx5l0xowrd_oYzBmaz-GKFZu4xAFFkbYiWgutEK6iuEDsQ6wNdNg3","y":"sp3p5SGhZVC2faXumI-e9JU2Mo8KpoYrFDr5yPNVtW4PgEwZOyQTA-JdaY8tb7E0"},"enc":"A128GCM"}`, ErrAlgorithm,
			"0DJjBXri_kBcC46IkU5_Jk9BqaQeHdv2.mH-G2zVqgztUtnW_.tkZuOO9h95OgHJmkkrfLBisku8rGf6nzVxhRM3sVOhXgz5NJ76oID7lpnAi_cPWJRCjSpAaUZ5dOR3Spy7QuEkmKx8-3RCMhSYMzsXaEwDdXta9Mn5B7cCBoJKB0IgEnj_qfo1hIi-uEkUpOZ8aLTZGHfpl05jMwbKkTe2yK3mjF6SBAsgicQDVCkcY9BLluzx1RmC3ORXaM0JaHPB93YcdSDGgpgBWMVrNU1ErkjcMqMoT_wtCex3w03XdLkjXIuEr2hWgeP-nkUZTPU9EoGSPj6fAS-bSz87RCPrxZdj_iVyC6QWcqAu07WNhjzJEPc4jVntRJ6K53NgPQ5p99l3Z408OUqj4ioYezbS6vTPlQ.WuGzxmcreYjpHGJoa17EBg"},
		{"5.5 ECDH-ES on P-256", jwa.ECDH_ES, meriadoc, trust, `{"alg":"ECDH-ES","kid":"meriadoc.brandybuck@buckland.example","epk":{"kty":"EC","crv":"P-256","x":"mPUKT_bAWGHIhg0TpjjqVsP1rXWQu_vwVOHHtNkdYoA","y":"8BQAsImGeAS46fyWw5MhYfGTT0IjBpFw2SS34Dv4Irs"},"enc":"A128CBC-HS256"}`, ErrAlgorithm,
			".yc9N8v5sYyv3iGQT926IUg.BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYtskTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNNkpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCCei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3AROq8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg"},
		{"5.6 direct", jwa.DIRECT, directKey, trust, `{"alg":"dir","kid":"77c7e2b8-6e13-45cf-8672-617b5b45243a","enc":"A128GCM"}`, ErrAlgorithm,
			".refa467QzzKx6QAB.JW_i_f52hww_ELQPGaYyeAB6HYGcR559l9TYnSovc23XJoBcW29rHP8yZOZG7YhLpT1bjFuvZPjQS-m0IFtVcXkZXdH_lr_FrdYt9HRUYkshtrMmIUAyGmUnd9zMDB2n0cRDIHAzFVeJUDxkUwVAE7_YGRPdcqMyiBoCO-FBdE-Nceb4h3-FtBP-c_BIwCPTjb9o0SbdcdREEMJMyZBH8ySWMVi1gPD9yxi-aQpGbSv_F9N4IZAxscj5g-NJsUPbjk29-s7LJAGb15wEBtXphVCgyy53CoIKLHHeJHXex45Uz9aKZSRSInZI-wjsY0yu3cT4_aQ3i1o-tiE-F8Ios61EKgyIQ4CWao8PFMj8TTnp.vbb32Xvllea2OtmHAdccRQ"},
		{"5.7 A256GCMKW", jwa.A256GCMKW, gcmWrapKey, trust, `{"alg":"A256GCMKW","kid":"18ec08e1-bfa9-4d95-b205-2b4dd1d4321d","tag":"kfPduVQ3T3H6vnewt--ksw","iv":"KkYT0GX_2jHlfqN_","enc":"A128CBC-HS256"}`, ErrHeader,
			"lJf3HbOApxMEBkCMOoTnnABxs_CvTWUmZQ2ElLvYNok.gz6NjyEFNm_vm8Gj6FwoFQ.Jf5p9-ZhJlJy_IQ_byKFmI0Ro7w7G1QiaZpI8OaiVgD8EqoDZHyFKFBupS8iaEeVIgMqWmsuJKuoVgzR3YfzoMd3GxEm3VxNhzWyWtZKX0gxKdy6HgLvqoGNbZCzLjqcpDiF8q2_62EVAbr2uSc2oaxFmFuIQHLcqAHxy51449xkjZ7ewzZaGV3eFqhpco8o4DijXaG5_7kp3h2cajRfDgymuxUbWgLqaeNQaJtvJmSMFuEOSAzw9Hdeb6yhdTynCRmu-kqtO5Dec4lT2OMZKpnxc_F1_4yDJFcqb5CiDSmA-psB2k0JtjxAj4UPI61oONK7zzFIu4gBfjJCndsZfdvG7h8wGjV98QhrKEnR7xKZ3KCr0_qR1B-gxpNk3xWU.DKW7jrb4WaRSNfbXVPlT5g"},
		{"5.8 A128KW", jwa.A128KW, wrapKey128, trust, `{"alg":"A128KW","kid":"81b20965-8332-43d9-a468-82160ad91ac8","enc":"A128GCM"}`, ErrAlgorithm,
			"CBI6oDw8MydIx1IBntf_lQcw2MmJKIQx.Qx0pmsDa8KnJc9Jo.AwliP-KmWgsZ37BvzCefNen6VTbRK3QMA4TkvRkH0tP1bTdhtFJgJxeVmJkLD61A1hnWGetdg11c9ADsnWgL56NyxwSYjU1ZEHcGkd3EkU0vjHi9gTlb90qSYFfeF0LwkcTtjbYKCsiNJQkcIp1yeM03OmuiYSoYJVSpf7ej6zaYcMv3WwdxDFl8REwOhNImk2Xld2JXq6BR53TSFkyT7PwVLuq-1GwtGHlQeg7gDT6xW0JqHDPn_H-puQsmthc9Zg0ojmJfqqFvETUxLAF-KjcBTS5dNy6egwkYtOt8EIHK-oEsKYtZRaa8Z7MOZ7UGxGIMvEmxrGCPeJa14slv2-gaqK0kEThkaSqdYw0FkQZF.ER7MWJZ1FBI_NKvn7Zb1Lw"},
		{"5.9 compressed", jwa.A128KW, wrapKey128, trust, `{"alg":"A128KW","kid":"81b20965-8332-43d9-a468-82160ad91ac8","enc":"A128GCM","zip":"DEF"}`, ErrHeader,
			"5vUT2WOtQxKWcekM_IzVQwkGgzlFDwPi.p9pUq6XHY0jfEZIl.HbDtOsdai1oYziSx25KEeTxmwnh8L8jKMFNc1k3zmMI6VB8hry57tDZ61jXyezSPt0fdLVfe6Jf5y5-JaCap_JQBcb5opbmT60uWGml8blyiMQmOn9J--XhhlYg0m-BHaqfDO5iTOWxPxFMUedx7WCy8mxgDHj0aBMG6152PsM-w5E_o2B3jDbrYBKhpYA7qi3AyijnCJ7BP9rr3U8kxExCpG3mK420TjOw.VILuUwuIxaLVmh5X-T7kmA"},
	}
}

// keysPlain is what §5.3 seals: the symmetric keys of the others.
const keysPlain = `{"keys":[{"kty":"oct","kid":"77c7e2b8-6e13-45cf-8672-617b5b45243a","use":"enc","alg":"A128GCM","k":"XctOhJAkA-pD9Lh7ZgW_2A"},{"kty":"oct","kid":"81b20965-8332-43d9-a468-82160ad91ac8","use":"enc","alg":"A128KW","k":"GZy6sIZ6wl9NJOKB-jnmVQ"},{"kty":"oct","kid":"18ec08e1-bfa9-4d95-b205-2b4dd1d4321d","use":"enc","alg":"A256GCMKW","k":"qC57l_uxcm7Nm3K-ct4GFjx8tM1U8CZ0NLBvdQstiS8"}]}`

type sealedExample struct {
	section    string
	alg        jwa.KeyEncryptionAlgorithm
	key        string
	plain      string
	header     string
	wantHeader error
	rest       string
}

func TestRFC7520SealsAreRightAndRefused(t *testing.T) {
	for _, v := range sealedExamples() {
		t.Run(v.section, func(t *testing.T) {
			var key any = []byte("entrap_o\u2013peter_long\u2013credit_tun") // §5.3's password
			if v.key != "" {
				key = theirKey(t, v.key)
			}
			header := b64([]byte(v.header))
			token := header + "." + v.rest
			if plain, err := jwe.Decrypt([]byte(token), jwe.WithKey(v.alg, key)); err != nil || string(plain) != v.plain {
				t.Errorf("the library: %q, %v: it does not stand here as it stands there", plain, err)
			}
			if _, err := ParseEncrypted(token, 8<<10); !errors.Is(err, ErrMalformed) && !errors.Is(err, v.wantHeader) {
				t.Errorf("ParseEncrypted: %v", err)
			}
			ours := strings.Join([]string{header, b64(make([]byte, wrappedKeySize)), b64(make([]byte, nonceSize)), b64([]byte("x")), b64(make([]byte, tagSize))}, ".")
			if _, err := ParseEncrypted(ours, 8<<10); !errors.Is(err, v.wantHeader) {
				t.Errorf("ParseEncrypted, its header over parts of our sizes: %v, want %v", err, v.wantHeader)
			}
		})
	}
}
