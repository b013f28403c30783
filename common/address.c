/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses of servers, as text.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "common/nearest.h"

/* Error texts quote this much of what was typed. */
#define QUOTED "%.200s"

static const char *const schemes[] = { "tcp", "unix", "rdma", NULL };

static int
bad (struct error *err, const char *what, const char *text,
     const char *reason)
{
  return error_set (err, EINVAL, "%s: " QUOTED ": %s", what, text, reason);
}

static int
parse_unix (const char *what, const char *text, const char *path,
            struct address *address, struct error *err)
{
  struct address result = { .family = ADDRESS_UNIX };
  size_t len = strlen (path);

  if (path[0] != '/')
    return bad (err, what, text,
                "the path must be absolute, as in unix:///PATH");
  if (len == 1)
    return bad (err, what, text, "the path is empty");
  if (len >= sizeof result.path)
    return error_set (err, EINVAL, "%s: " QUOTED
                      ": the path is longer than %zu bytes, "
                      "the limit of Unix sockets", what, text,
                      sizeof result.path - 1);
  memcpy (result.path, path, len + 1);
  *address = result;
  return 0;
}

static int
parse_port (const char *what, const char *text, const char *port,
            struct address *result, struct error *err)
{
  unsigned value = 0;

  if (*port == '\0')
    return bad (err, what, text, "no port follows the colon");
  for (const char *p = port; *p; p++) {
    if (!isdigit ((unsigned char) *p))
      return bad (err, what, text, "the port is not a number");
    value = value * 10 + (unsigned) (*p - '0');
    if (value > 65535)
      return bad (err, what, text, "the port is above 65535");
  }
  snprintf (result->port, sizeof result->port, "%u", value);
  return 0;
}

/* [::1], [fe80::1%eth0]: what is between the brackets. */
static int
check_ipv6 (const char *what, const char *text, const char *host,
            struct error *err)
{
  char literal[INET6_ADDRSTRLEN];
  size_t len = strcspn (host, "%");
  struct in6_addr in6;

  if (len < sizeof literal) {
    memcpy (literal, host, len);
    literal[len] = '\0';
    if (inet_pton (AF_INET6, literal, &in6) == 1 &&
        (host[len] == '\0' || (host[len + 1] != '\0' &&
                               !strpbrk (host + len, "]/ "))))
      return 0;
  }
  return bad (err, what, text, "no IPv6 address is between the brackets");
}

static int
check_name (const char *what, const char *text, const char *host,
            struct error *err)
{
  for (const char *p = host; *p; p++)
    if (!isalnum ((unsigned char) *p) && !strchr (".-_", *p))
      return bad (err, what, text, *p == '/' ?
                  "the address of a host has no path (a Unix socket is "
                  "written unix:///PATH)" : "not the name of a host");
  return 0;
}

static int
parse_host (const char *what, const char *text, const char *rest,
            enum address_family family, struct address *address,
            struct error *err)
{
  struct address result = { .family = family, .port = ADDRESS_DEFAULT_PORT };
  bool brackets = rest[0] == '[';
  const char *host = rest + brackets;
  size_t len = strcspn (host, brackets ? "]" : ":");
  const char *end = host + len;

  if (len == 0)
    return bad (err, what, text, "no host");
  if (len >= sizeof result.host)
    return bad (err, what, text, "the name of the host is too long");
  memcpy (result.host, host, len);
  result.host[len] = '\0';
  if (brackets) {
    if (*end != ']')
      return bad (err, what, text, "the bracket is not closed");
    end++;
    if (check_ipv6 (what, text, result.host, err) < 0)
      return -EINVAL;
    if (*end != '\0' && *end != ':')
      return bad (err, what, text, "a port follows brackets as [HOST]:PORT");
  }
  else {
    if (*end == ':' && strchr (end + 1, ':'))
      return bad (err, what, text,
                  "an IPv6 address is written in brackets, as [::1]:4420");
    if (check_name (what, text, result.host, err) < 0)
      return -EINVAL;
  }
  if (*end == ':' && parse_port (what, text, end + 1, &result, err) < 0)
    return -EINVAL;
  *address = result;
  return 0;
}

static int
unknown_scheme (const char *what, const char *text, size_t len,
                struct error *err)
{
  char scheme[16] = "";
  const char *near = NULL;

  if (len < sizeof scheme) {
    memcpy (scheme, text, len);
    near = nearest_name (scheme, schemes);
  }
  if (near)
    return error_set (err, EINVAL, "%s: " QUOTED
                      ": unknown scheme, did you mean %s://?",
                      what, text, near);
  return bad (err, what, text, "unknown scheme (tcp://, rdma:// or unix://)");
}

int
address_parse (const char *what, const char *text,
               struct address *address, struct error *err)
{
  const char *colon = strstr (text, "://");
  size_t len = colon ? (size_t) (colon - text) : 0;

  if (*text == '\0')
    return error_set (err, EINVAL, "%s: the address is empty", what);
  if (!colon)
    return parse_host (what, text, text, ADDRESS_TCP, address, err);
  if (len == 3 && memcmp (text, "tcp", 3) == 0)
    return parse_host (what, text, colon + 3, ADDRESS_TCP, address, err);
  if (len == 4 && memcmp (text, "rdma", 4) == 0)
    return parse_host (what, text, colon + 3, ADDRESS_RDMA, address, err);
  if (len == 4 && memcmp (text, "unix", 4) == 0)
    return parse_unix (what, text, colon + 3, address, err);
  return unknown_scheme (what, text, len, err);
}

bool
address_is_local (const struct address *address)
{
  struct in6_addr ipv6;
  struct in_addr ipv4;

  if (address->family == ADDRESS_UNIX)
    return true;
  if (inet_pton (AF_INET6, address->host, &ipv6) == 1) {
    if (!IN6_IS_ADDR_V4MAPPED (&ipv6))
      return IN6_IS_ADDR_LOOPBACK (&ipv6);
    memcpy (&ipv4, &ipv6.s6_addr[12], sizeof ipv4);
  }
  else if (inet_pton (AF_INET, address->host, &ipv4) != 1)
    return false;
  return ntohl (ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
}

const char *
address_transport (const struct address *address)
{
  static const char *const names[] = {
    [ADDRESS_TCP] = "tcp", [ADDRESS_UNIX] = "unix", [ADDRESS_RDMA] = "rdma",
  };

  return names[address->family];
}

const char *
address_format (const struct address *address, char *buf, size_t buflen)
{
  const char *scheme = address_transport (address);
  bool ip6 = strchr (address->host, ':');

  if (address->family == ADDRESS_UNIX)
    snprintf (buf, buflen, "unix://%s", address->path);
  else
    snprintf (buf, buflen, "%s://%s%s%s:%s", scheme, ip6 ? "[" : "",
              address->host, ip6 ? "]" : "", address->port);
  return buf;
}
