package main

import "google.golang.org/protobuf/encoding/protowire"

// rangeRequest holds the fields of etcdserverpb.RangeRequest that the benchmark uses.
type rangeRequest struct {
	key, end                string
	limit                   int
	revision                int64
	serializable, countOnly bool
}

func appendVarint(buffer []byte, field protowire.Number, value uint64) []byte {
	if value == 0 {
		return buffer
	}
	return protowire.AppendVarint(protowire.AppendTag(buffer, field, protowire.VarintType), value)
}

func appendBytes(buffer []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(buffer, field, protowire.BytesType), value)
}

func appendText(buffer []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(buffer, field, protowire.BytesType), value)
}

func appendRange(buffer []byte, r rangeRequest) []byte {
	buffer = appendText(buffer, 1, r.key)
	if r.end != "" {
		buffer = appendText(buffer, 2, r.end)
	}
	buffer = appendVarint(buffer, 3, uint64(r.limit))
	buffer = appendVarint(buffer, 4, uint64(r.revision))
	buffer = appendVarint(buffer, 7, protowire.EncodeBool(r.serializable))
	return appendVarint(buffer, 9, protowire.EncodeBool(r.countOnly))
}

func appendPut(buffer []byte, key string, value []byte) []byte {
	return appendBytes(appendText(buffer, 1, key), 2, value)
}

// appendCompareAndPut puts if the key's mod revision is as given; 0: if there is no such key.
func appendCompareAndPut(buffer []byte, key string, revision int64, value []byte) []byte {
	const modTarget = 2
	compare := appendVarint(nil, 2, modTarget)
	compare = appendText(compare, 3, key)
	compare = protowire.AppendVarint(protowire.AppendTag(compare, 6, protowire.VarintType), uint64(revision))
	operation := appendBytes(nil, 2, appendPut(nil, key, value))
	return appendBytes(appendBytes(buffer, 1, compare), 2, operation)
}

// visit calls each for the fields of a message until it returns false. Varints come as number, the rest as bytes.
func visit(message []byte, each func(field protowire.Number, number uint64, content []byte) bool) {
	for len(message) > 0 {
		field, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return
		}
		message = message[length:]
		var number uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			number, length = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			content, length = protowire.ConsumeBytes(message)
		default:
			length = protowire.ConsumeFieldValue(field, kind, message)
		}
		if length < 0 || !each(field, number, content) {
			return
		}
		message = message[length:]
	}
}

// revisionOf is header.revision: the header is field 1 of every answer, the revision field 3 of the header.
func revisionOf(message []byte) (revision int64) {
	visit(message, func(field protowire.Number, _ uint64, header []byte) bool {
		if field == 1 {
			visit(header, func(inner protowire.Number, number uint64, _ []byte) bool {
				if inner == 3 {
					revision = int64(number)
				}
				return true
			})
		}
		return false
	})
	return revision
}

func succeeded(message []byte) (yes bool) {
	visit(message, func(field protowire.Number, number uint64, _ []byte) bool {
		yes = yes || (field == 2 && number == 1)
		return true
	})
	return yes
}

func countOf(message []byte) (count int64) {
	visit(message, func(field protowire.Number, number uint64, _ []byte) bool {
		if field == 4 {
			count = int64(number)
		}
		return true
	})
	return count
}

// lastKeyOf gives the last key of a RangeResponse, and whether more keys follow.
func lastKeyOf(message []byte) (key string, more bool) {
	var pair []byte
	visit(message, func(field protowire.Number, number uint64, content []byte) bool {
		switch field {
		case 2:
			pair = content
		case 3:
			more = number == 1
		}
		return true
	})
	visit(pair, func(field protowire.Number, _ uint64, content []byte) bool {
		key = string(content)
		return field != 1
	})
	return key, more
}
