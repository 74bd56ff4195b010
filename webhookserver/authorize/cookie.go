package authorize

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// maxCookies is how many logins of a channel one browser may have open. The oldest makes room; with five, taps that lead
// nowhere do not end the one that does.
const maxCookies = 5

// jar reads and writes the cookies of one channel. The __Host- prefix has the browser refuse one that another host of the
// domain or a plain http answer sets (RFC 6265bis section 4.1.3.2), and needs the path /: so the channel is in the name.
type jar struct{ prefix string }

func newJar(channel link.ChannelID) jar {
	sum := sha256.Sum256([]byte(channel))
	name := base32.StdEncoding.EncodeToString(sum[:])[:10]
	return jar{prefix: "__Host-cl-" + strings.ToLower(name) + "-"}
}

// newCookieValue returns 256 random bits behind the time, by which the oldest cookie is known.
func newCookieValue(now time.Time) string {
	return strconv.FormatInt(now.Unix(), 36) + "." + link.NewCode()
}

// value returns the cookie of a flow. Two of one name are refused whichever they are: one is not ours.
func (j jar) value(r *http.Request, flow string) (string, error) {
	switch found := r.CookiesNamed(j.prefix + flow); len(found) {
	case 0:
		return "", refuse(CookieMissing, nil)
	case 1:
		return found[0].Value, nil
	default:
		return "", refuse(CookieRepeated, nil)
	}
}

// put returns the cookie of a new flow, and those that expire the browser's oldest ones to make room for it.
func (j jar) put(r *http.Request, flow, value string, life time.Duration) []*http.Cookie {
	set := []*http.Cookie{j.cookie(j.prefix+flow, value, int(life/time.Second))}
	var old []*http.Cookie
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, j.prefix) {
			old = append(old, c)
		}
	}
	slices.SortFunc(old, func(a, b *http.Cookie) int { return cmp.Compare(age(b.Value), age(a.Value)) })
	for _, c := range old[min(len(old), maxCookies-1):] {
		set = append(set, j.cookie(c.Name, "", -1))
	}
	return set
}

// age is the time in a cookie's value; what is none of ours counts as oldest.
func age(value string) int64 {
	began, _, _ := strings.Cut(value, ".")
	seconds, err := strconv.ParseInt(began, 36, 64)
	if err != nil {
		return 0
	}
	return seconds
}

func (jar) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// derived returns a value that only who has the cookie can know, as random as the cookie is: 43 characters of base64url.
func derived(cookie, purpose, flow string) string {
	mac := hmac.New(sha256.New, []byte(cookie))
	mac.Write([]byte(purpose + "\x00" + flow))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
