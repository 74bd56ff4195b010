package chatsim

import (
	"context"
	"errors"
)

// Why a user cannot log out.
var (
	errNotLinked = errors.New("the accounts are not linked")
	errNoLogout  = errors.New("LINE keeps no link: the bot itself has to end it")
)

// logOut is a tap on Log Out: Messenger's button, or the module of a bot at BotBonnie.
func (s *Simulator) logOut(ctx context.Context, c *channel, u *user) error {
	s.mu.Lock()
	if !u.linked {
		s.mu.Unlock()
		return errNotLinked
	}
	if c.Kind == Messenger {
		hook := s.messengerLinked(c, u, "")
		s.note(u, "Your accounts are no longer linked.")
		s.mu.Unlock()
		s.deliver(ctx, c, hook)
		return nil
	}
	if c.BotBonnie == nil {
		s.mu.Unlock()
		return errNoLogout
	}
	u.linked, u.extID, u.active = false, "", s.nowLocked()
	s.note(u, "Your accounts are no longer linked.")
	muted := c.switches.Mute
	s.mu.Unlock()
	if !muted {
		s.tellLinked(ctx, c, u, false)
	}
	return nil
}
