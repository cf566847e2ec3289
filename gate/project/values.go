package project

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Values are the keys of a stack config as they stand in its file, to be edited.
type Values map[string]any

// ReadValues are those of a file's text.
func ReadValues(text []byte) (Values, error) {
	var file struct {
		Config      map[string]any `yaml:"config"`
		Environment any            `yaml:"environment"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read the stack config: %w", err)
	}
	if file.Environment != nil {
		return nil, errors.New("environment is given, want none: only Pulumi Cloud opens it, so its values would be missing here. Write them below config")
	}
	if file.Config == nil {
		file.Config = map[string]any{} // what is missing, the program says
	}
	return file.Config, nil
}

// Text is a stack config's file with the values, and without its comments.
func (v Values) Text() ([]byte, error) {
	text, err := yaml.Marshal(map[string]any{"config": map[string]any(v)})
	if err != nil {
		return nil, fmt.Errorf("write the stack config: %w", err)
	}
	return text, nil
}

// Part is an object of the config; a nil one is absent, or isn't an object: then the program says what is wrong.
func (v Values) Part(key string) map[string]any {
	part, _ := v["threetier:"+key].(map[string]any)
	return part
}

// Set sets a value by path: threetier:backend.env.KEY.
func (v Values) Set(path string, value any) {
	within := map[string]any(v)
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		next, isObject := within[key].(map[string]any)
		if !isObject {
			next = map[string]any{}
			within[key] = next
		}
		within = next
	}
	within[keys[len(keys)-1]] = value
}

// Remove removes a path, and tells whether it was there.
func (v Values) Remove(path string) bool {
	within := map[string]any(v)
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		within, _ = within[key].(map[string]any)
	}
	last := keys[len(keys)-1]
	_, there := within[last]
	delete(within, last)
	return there
}

// ReplaceSecrets puts a stand-in by its path into the place of each {secure: …}, which only the stack's own key opens.
func (v Values) ReplaceSecrets(standIn func(path string) any) {
	for key, value := range v {
		v[key] = replaceSecrets(value, key, standIn)
	}
}

func replaceSecrets(value any, path string, standIn func(path string) any) any {
	switch value := value.(type) {
	case map[string]any:
		if _, secure := value["secure"]; secure && len(value) == 1 {
			return standIn(path)
		}
		for key, field := range value {
			value[key] = replaceSecrets(field, path+"."+key, standIn)
		}
	case []any:
		for i, item := range value {
			value[i] = replaceSecrets(item, fmt.Sprintf("%s[%d]", path, i), standIn)
		}
	}
	return value
}
