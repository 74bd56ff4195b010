// Package monitoring has no code: its tests hold the rules and the dashboard of config/monitoring to the metrics that there
// are (docs/metrics.md, which is what scrapes show), to the runbooks, and to what the rules are to do.
package monitoring
