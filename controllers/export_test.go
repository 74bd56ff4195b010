package controllers

import "k8s.io/apimachinery/pkg/types"

// Open tells whether an answer to the id is to come.
func (c *Courier) Open(id types.UID) bool {
	_, open := c.replies(id)
	return open
}

// Knows tells whether anything is remembered of the id.
func (c *Courier) Knows(id types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.desks[id] != nil
}
