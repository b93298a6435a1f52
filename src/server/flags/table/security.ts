import { type FlagGroup, flag } from "../flag-spec.js";

export const securityFlags: FlagGroup = {
  title: "Security",
  flags: [
    flag("cert-file", "string", "", "Certificate for clients to see."),
    flag("key-file", "string", "", "Its key."),
    flag("client-cert-auth", "bool", "false", "Demand a certificate of every client."),
    flag(
      "client-cert-file",
      "string",
      "",
      "Certificate for calls of this member to itself, if not cert-file.",
    ),
    flag("client-key-file", "string", "", "Its key."),
    flag("client-crl-file", "string", "", "Revoked client certificates."),
    flag("client-cert-allowed-hostname", "strings", "", "Host names that a client certificate may be for."),
    flag("trusted-ca-file", "string", "", "Authorities that sign client certificates."),
    flag("auto-tls", "bool", "false", "TLS for clients with a certificate made at start."),
    flag("peer-cert-file", "string", "", "Certificate for other members to see."),
    flag("peer-key-file", "string", "", "Its key."),
    flag("peer-client-cert-auth", "bool", "false", "Demand a certificate of every other member."),
    flag(
      "peer-client-cert-file",
      "string",
      "",
      "Certificate for calls to other members, if not peer-cert-file.",
    ),
    flag("peer-client-key-file", "string", "", "Its key."),
    flag("peer-trusted-ca-file", "string", "", "Authorities that sign certificates of members."),
    flag("peer-cert-allowed-cn", "strings", "", "Common names that a member's certificate may have."),
    flag("peer-cert-allowed-hostname", "strings", "", "Host names that a member's certificate may be for."),
    flag("peer-auto-tls", "bool", "false", "TLS between members with certificates made at start."),
    flag("self-signed-cert-validity", "uint", "1", "Years that a certificate made at start is valid."),
    flag("peer-crl-file", "string", "", "Revoked certificates of members."),
    flag(
      "cipher-suites",
      "strings",
      "",
      "TLS 1.2 cipher suites by their IANA names; empty: Node.js's choice.",
    ),
    flag("cors", "origins", "*", "Origins that browsers may call from."),
    flag("host-whitelist", "uniqueStrings", "*", "Host names that plain HTTP requests may ask for."),
    flag("tls-min-version", "string", "TLS1.2", "Lowest TLS version: TLS1.2 or TLS1.3."),
    flag("tls-max-version", "string", "", "Highest TLS version: TLS1.2 or TLS1.3."),
  ],
};

export const authFlags: FlagGroup = {
  title: "Auth",
  flags: [
    flag("auth-token", "string", "simple", "Kind of token and its options: simple, or jwt,…"),
    flag("bcrypt-cost", "uint", "10", "Cost of hashing a password, 4 to 31."),
    flag("auth-token-ttl", "uint", "300", "Seconds that a simple token lives without use."),
  ],
};
