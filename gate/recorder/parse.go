package recorder

// Parse is a stack config of the project in a folder, given as the text of a Pulumi.<stack>.yaml, for programs that aren't tests.
func Parse(root string, text []byte) (*Config, error) { return parse(root, text) }
