package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Provision makes what RDS makes in a new instance: an administrator that isn't a superuser, and a database of its own.
func (s *Server) Provision(ctx context.Context, username, database, password string) error {
	master := quoteName(username)
	sql := `CREATE ROLE rds_superuser;
CREATE ROLE rds_password;
CREATE ROLE rds_replication;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint, rds_password, rds_replication TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE ` + master + ` LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser;
ALTER DATABASE postgres OWNER TO ` + master + `;
`
	if database != "" {
		sql += "CREATE DATABASE " + quoteName(database) + " OWNER " + master + ";\n"
	}
	if _, err := s.pg.query(ctx, s, sql); err != nil {
		return err
	}
	return s.SetPassword(ctx, username, password)
}

// SetPassword changes a role's password; an empty one changes nothing.
func (s *Server) SetPassword(ctx context.Context, username, password string) error {
	if password == "" {
		return nil
	}
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	_, err = s.pg.query(ctx, s, "ALTER ROLE "+quoteName(username)+" PASSWORD "+quoteText(verifier)+";\n")
	return err
}

const scramIterations = 4096

// scramVerifier is what PostgreSQL stores for a password. Made here, the password itself never reaches the server's
// statement log. RDS allows printable ASCII only, so SASLprep would change nothing.
func scramVerifier(password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(keyed(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s",
		scramIterations, encode(salt), encode(stored[:]), encode(keyed(salted, "Server Key"))), nil
}

func keyed(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
