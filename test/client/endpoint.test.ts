import { expect, test } from "vitest";
import { parseEndpoint } from "../../src/client/endpoint.js";

test.each([
  ["127.0.0.1:2379", "127.0.0.1:2379", "optional"],
  [" host:1 ", "host:1", "optional"],
  ["http://host:2379", "host:2379", "forbidden"],
  ["https://host:2379/path", "host:2379", "required"],
  ["[::1]:2379", "[::1]:2379", "optional"],
  ["unix:///tmp/etcd.sock", "unix:/tmp/etcd.sock", "forbidden"],
] as const)("endpoint %s is dialed as %s with TLS %s", (text, target, tls) => {
  expect(parseEndpoint(text)).toEqual({ name: text.trim(), target, tls });
});

test("an endpoint with a scheme that nobody speaks is refused before any call", () => {
  expect(() => parseEndpoint("ftp://host:1")).toThrow('endpoint "ftp://host:1" has an unknown scheme');
});
