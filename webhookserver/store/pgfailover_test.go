package store

import (
	"net/url"
	"testing"

	"channellink.dev/operator/webhookserver/store/pgtest"
)

// C80: where the connection string names several hosts, the one that takes writes is found, wherever it stands and whenever
// it changes. A read-only database stands in for a standby: the sessions of both refuse to write.
func TestPostgresFailover(t *testing.T) {
	servers := []*pgtest.Server{pgtest.Start(t), pgtest.Start(t)}
	hosts := url.Values{}
	database := ""
	for _, server := range servers {
		database = server.NewDatabase(t) // of the same name on both
		openPostgres(t, server.DSN(database))
		dsn, err := url.Parse(server.DSN(database))
		if err != nil {
			t.Fatal(err)
		}
		hosts.Add("host", dsn.Query().Get("host"))
	}
	both := (&url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/" + database,
		RawQuery: url.Values{"host": {hosts["host"][0] + "," + hosts["host"][1]}}.Encode(),
	}).String()
	standby := func(server *pgtest.Server) {
		server.Exec(t, "postgres", "ALTER DATABASE "+database+" SET default_transaction_read_only = on",
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
	}
	primary := func(server *pgtest.Server) {
		server.Exec(t, "postgres", "ALTER DATABASE "+database+" RESET default_transaction_read_only")
	}

	standby(servers[0])
	s := openPostgres(t, both)
	for i, change := range []func(){
		func() {},
		func() { primary(servers[0]); standby(servers[1]) },
		func() { primary(servers[1]); standby(servers[0]) },
	} {
		change()
		var err error
		for range 3 { // the first calls may find that their connections are gone
			if err = s.PutIssuerDocuments(t.Context(), row(i)); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("after failover %d: %v", i, err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping after failover %d: %v", i, err)
		}
	}
}
