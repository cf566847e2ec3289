// Connects as the row of pgx in docs/reference/app.md says. Prints its name and whether TLS is used.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
)

func main() {
	parts := fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s",
		os.Getenv("DB_HOST"), os.Getenv("DB_PORT"), os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD"), os.Getenv("DB_NAME"))
	for _, way := range [][2]string{{"pgx", os.Getenv("DATABASE_URL")}, {"pgx, without a URL", parts}} {
		used, err := usesTLS(way[1])
		switch {
		case err != nil:
			fmt.Printf("%s: refused, %v\n", way[0], err)
		case used:
			fmt.Printf("%s: TLS True\n", way[0])
		default:
			fmt.Printf("%s: TLS False\n", way[0])
		}
	}
}

func usesTLS(dsn string) (used bool, err error) {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer connection.Close(ctx)
	err = connection.QueryRow(ctx, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&used)
	return used, err
}
