// Package stamp names what a thing was built from: one that was built from the same needs no build.
package stamp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Of is a hash of the files of a folder, with their names, and of what else went into the build.
func Of(dir string, skip func(name string) bool, other ...any) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, other...)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case skip(d.Name()) && d.IsDir():
			return filepath.SkipDir
		case skip(d.Name()) || !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, rel)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(sum, f)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read what is built: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
