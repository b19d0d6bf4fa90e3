/*
 * Listeners: parsing "http://host:port" as Kafka Connect does and opening the
 * socket. Sockets are opened here and not by libmicrohttpd, so that a port in
 * use is told apart from a host that is not ours.
 */
#include "rest/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 128 };

int tg__listener_parse(const char *text, const char *where, tg_listener *out,
                       tg_err *err)
{
    const char *rest = strstr(text, "://");
    const char *colon = rest ? strrchr(rest + 3, ':') : NULL;
    char *end = NULL;
    memset(out, 0, sizeof *out);
    if (!rest || !colon)
        goto format;
    if ((size_t)(rest - text) == 5 && strncasecmp(text, "https", 5) == 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s: listeners has %s: this version serves http "
                          "only; put a proxy in front of it for https",
                          where, text);
    if ((size_t)(rest - text) != 4 || strncasecmp(text, "http", 4) != 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s: listeners has %s: Listener protocol must be "
                          "either \"http\" or \"https\".",
                          where, text);
    const char *host = rest + 3;
    size_t n = (size_t)(colon - host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    long port = strtol(colon + 1, &end, 10);
    if (n >= sizeof out->host || end == colon + 1 || (*end && *end != '/') ||
        port < 0 || port > 65535)
        goto format;
    memcpy(out->host, host, n);
    out->port = (int)port;
    return TG_OK;
format:
    return tg_err_set(err, TG_ERR_CONFIG,
                      "%s: listeners has %s: Listener doesn't have the right "
                      "format (protocol://hostname:port). Example: "
                      "http://127.0.0.1:8083",
                      where, text);
}

static int try_address(const struct addrinfo *a)
{
    int on = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *)&a)->sin6_port
                     : ((struct sockaddr_in *)&a)->sin_port);
}

/* First of the family that can be bound; -1 and errno. */
static int try_family(const struct addrinfo *list, int family)
{
    int fd = -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        if (a->ai_family == family)
            fd = try_address(a);
    return fd;
}

int tg__listener_open(tg_listener *l, const char *where, tg_err *err)
{
    char port[16];
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE};
    snprintf(port, sizeof port, "%d", l->port);
    int rc = getaddrinfo(*l->host ? l->host : NULL, port, &hints, &list);
    if (rc != 0) {
        tg_err_set(err, TG_ERR_CONFIG,
                   "%s: listeners: the host %s is not known: %s", where,
                   l->host, gai_strerror(rc));
        return -1;
    }
    /* Every interface: one socket for both families, if there is IPv6. A name:
     * its IPv4 address first, which is what clients try. */
    int first = *l->host ? AF_INET : AF_INET6;
    errno = EADDRNOTAVAIL;
    int fd = try_family(list, first);
    if (fd < 0 && errno != EADDRINUSE) {
        int other = try_family(list, first == AF_INET ? AF_INET6 : AF_INET);
        fd = other;
    }
    int saved = errno;
    freeaddrinfo(list);
    if (fd >= 0) {
        l->port = bound_port(fd);
        return fd;
    }
    if (saved == EADDRINUSE)
        tg_err_set(err, TG_ERR_IO,
                   "%s: listeners: port %d on %s is in use; stop what uses it, "
                   "or give the worker another port: "
                   "listeners=http://127.0.0.1:%d",
                   where, l->port, *l->host ? l->host : "every interface",
                   l->port < 65535 ? l->port + 1 : 8083);
    else
        tg_err_set(err, TG_ERR_IO,
                   "%s: listeners: cannot listen on port %d of %s: %s", where,
                   l->port, *l->host ? l->host : "every interface",
                   strerror(saved));
    return -1;
}
