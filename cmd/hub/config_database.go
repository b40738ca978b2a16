package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// completeDatabase checks the address of an external server and adds its password.
// Away from this machine the connection's protection must be stated: left out, it
// falls back to clear text whenever somebody in between suggests it.
func (c *Config) completeDatabase() error {
	if c.DatabaseURL == "" {
		if c.DatabasePasswordFile != "" {
			return errors.New("HUB_DATABASE_PASSWORD_FILE: is of no use without HUB_DATABASE_URL")
		}
		return nil
	}
	u, err := url.Parse(c.DatabaseURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return errors.New("HUB_DATABASE_URL: must be a URL such as postgres://hub@db.example/handover?sslmode=verify-full")
	}
	local := onThisMachine(u)
	_, inside := u.User.Password()
	if inside && !local || u.Query().Has("password") {
		return errors.New("HUB_DATABASE_URL: must not hold a password; put it in a file and name that in HUB_DATABASE_PASSWORD_FILE")
	}
	if !local && !u.Query().Has("sslmode") {
		return errors.New("HUB_DATABASE_URL: say how the connection is protected: ?sslmode=verify-full, or sslmode=disable on a network of your own")
	}
	if c.DatabasePasswordFile == "" {
		return nil
	}
	password, err := readSecret(c.DatabasePasswordFile)
	if err != nil {
		return fmt.Errorf("HUB_DATABASE_PASSWORD_FILE: %w", err)
	}
	u.User = url.UserPassword(u.User.Username(), password)
	c.DatabaseURL = u.String()
	return nil
}

// onThisMachine reports whether the server of a database URL is reached by a socket
// or the loopback interface. The driver lets a parameter host replace the URL's.
func onThisMachine(u *url.URL) bool {
	host := u.Hostname()
	if h := u.Query().Get("host"); h != "" {
		host = h
	}
	return host == "" || strings.HasPrefix(host, "/") || loopback(host)
}

func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "unreadable"
	}
	return u.Redacted()
}
