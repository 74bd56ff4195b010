package chatsim

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxCustomers is the most that one page of customers holds (BotBonnie, user data).
const maxCustomers = 3086

// customer is BotBonnie's record of a chat user.
type customer struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Platform   string         `json:"platform"`
	PageID     string         `json:"pageId"`
	Status     int            `json:"status"`
	Created    int64          `json:"created"`
	LastActive int64          `json:"lastActive"`
	Picture    string         `json:"pic"`
	Tags       []string       `json:"tags"`
	Params     map[string]any `json:"params"`
	ExtID      string         `json:"extId,omitempty"`
}

// customers lists the users whose last interaction is later than from.
func (s *Simulator) customers(w http.ResponseWriter, r *http.Request) {
	channels, ok := s.botChannels(w, r)
	if !ok {
		return
	}
	query, wrong := strictQuery(r, []string{"botId"}, "limit", "from", "next")
	if wrong != "" {
		botBonnieRefuse(w, r, http.StatusBadRequest, wrong)
		return
	}
	if query.Get("botId") != channels[0].BotBonnie.BotID {
		botBonnieRefuse(w, r, http.StatusForbidden, "the token is another bot's")
		return
	}
	judge(r.Context()).channel = channels[0].Name
	limit, from, start, wrong := pageOf(query)
	if wrong != "" {
		botBonnieRefuse(w, r, http.StatusBadRequest, wrong)
		return
	}
	s.mu.Lock()
	records := s.recordsSince(channels, from)
	s.mu.Unlock()
	records = records[min(start, len(records)):]
	res := map[string]any{}
	if len(records) > limit {
		records = records[:limit]
		res["next"] = strconv.Itoa(start + limit)
	}
	res["records"] = records
	writeJSON(w, http.StatusOK, map[string]any{"res": res, "status": http.StatusOK})
}

// pageOf reads what part of the list is wanted.
func pageOf(query url.Values) (limit int, from time.Time, start int, wrong string) {
	const millisDigits = 13
	limit = maxCustomers
	var err error
	if query.Has("limit") {
		if limit, err = strconv.Atoi(query.Get("limit")); err != nil || limit < 1 || limit > maxCustomers {
			return 0, from, 0, "limit: want 1 to 3086"
		}
	}
	if query.Has("from") {
		millis, err := strconv.ParseInt(query.Get("from"), 10, 64)
		if err != nil || len(query.Get("from")) != millisDigits {
			return 0, from, 0, "from: want milliseconds, 13 digits"
		}
		from = time.UnixMilli(millis)
	}
	if query.Has("next") {
		if start, err = strconv.Atoi(query.Get("next")); err != nil || start < 0 {
			return 0, from, 0, "next: want what the page before said"
		}
	}
	return limit, from, start, ""
}

// recordsSince is the bot's list. A caller holds the mutex.
func (s *Simulator) recordsSince(channels []*channel, from time.Time) []customer {
	records := []customer{}
	for _, c := range channels {
		for _, u := range c.users {
			if u.active.After(from) {
				records = append(records, s.customer(c, u))
			}
		}
	}
	return records
}

func (s *Simulator) customer(c *channel, u *user) customer {
	const running = 1
	r := customer{
		ID: u.ID, Platform: "LINE", PageID: c.PageID, Status: running,
		Created: u.created.UnixMilli(), LastActive: u.active.UnixMilli(),
		Tags: append([]string{}, u.tags...), Params: map[string]any{}, ExtID: u.extID,
	}
	for name, value := range u.params {
		r.Params[name] = value
	}
	if c.Kind == Messenger {
		r.Platform = "FB"
	}
	if !u.Hidden {
		r.Name, r.Picture = u.Name, s.pictureURL(u)
	}
	return r
}
