// Package botbonnie speaks with BotBonnie: the parameters of its account linking kit
// and the way back, the signed calls of a bot's modules, its messages, and its API.
package botbonnie
