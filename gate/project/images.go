package project

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Image is an image that a stack config names.
type Image struct {
	// Key is where: backend.image, database.clientImage.
	Key string
	// Ref is the image.
	Ref string
	// At is the offset of its text in the file, in bytes, and Length that text's.
	At, Length int
}

// Images are those that the text names as threetier:<part>'s image or clientImage, in the order of the file.
func Images(text []byte) ([]Image, error) {
	var document struct {
		Config map[string]yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read stack config: %w", err)
	}
	var images []Image
	for key, part := range document.Config {
		name, ours := strings.CutPrefix(key, "threetier:")
		for _, field := range []string{"image", "clientImage"} {
			value := member(part, field)
			if !ours || value == nil {
				continue
			}
			image := Image{Key: name + "." + field, Ref: value.Value, At: offset(text, value.Line, value.Column), Length: len(value.Value)}
			if value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
				image.At++
			}
			if value.Kind != yaml.ScalarNode || !strings.HasPrefix(string(text[image.At:]), value.Value) {
				return nil, fmt.Errorf("line %d: %s can't be changed in place, want it as plain text on one line", value.Line, image.Key)
			}
			images = append(images, image)
		}
	}
	slices.SortFunc(images, func(a, b Image) int { return a.At - b.At })
	return images, nil
}

// member is the value of a mapping's key; nil where there is none.
func member(mapping yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// offset is the place of a line and column, which count from 1; a column is a character.
func offset(text []byte, line, column int) int {
	at := 0
	for range line - 1 {
		at += strings.IndexByte(string(text[at:]), '\n') + 1
	}
	for i := range string(text[at:]) {
		if column--; column == 0 {
			return at + i
		}
	}
	return len(text)
}

// Replace gives images of the text other names. Every other byte stays as it is: comments, order and style are their author's.
func Replace(text []byte, images []Image, ref func(Image) (string, error)) ([]byte, error) {
	var out []byte
	from := 0
	for _, image := range images {
		changed, err := ref(image)
		if err != nil {
			return nil, err
		}
		out = append(append(out, text[from:image.At]...), changed...)
		from = image.At + image.Length
	}
	return append(out, text[from:]...), nil
}
