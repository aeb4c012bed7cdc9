package tunnelfile

// InForce is the value of each key of [Tunnel], in the order of Keys. A key with one value comes
// once, with its default and without a Path if it is not written. A list comes once for each
// assignment that counts. Assignments that a later one replaced or removed do not count.
func (t Tunnel) InForce() []Setting {
	var all []Setting
	for _, key := range tunnelKeys {
		var own []Setting
		for _, s := range t.written {
			if s.Key == key.name {
				own = append(own, s)
			}
		}
		if !key.list() {
			one := Setting{Key: key.name, Value: key.word(t)}
			if len(own) > 0 {
				one.Path, one.Line = own[0].Path, own[0].Line
			}
			own = []Setting{one}
		}
		all = append(all, own...)
	}
	return all
}
