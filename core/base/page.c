/*
 * The shared page: a sealed memfd of one page. The supervisor makes it and
 * keeps its mapping; the child maps the inherited descriptor. Nobody may shrink
 * the file, so neither side can be killed by SIGBUS.
 *
 * Any thread.
 */
#include "base/page.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static tg_page *page_map(int fd, tg_err *err)
{
    void *p =
        mmap(NULL, TG_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        tg_err_set(err, TG_ERR_IO,
                   "cannot map the shared page of a task (descriptor %d): %s",
                   fd, strerror(errno));
        return NULL;
    }
    return p;
}

tg_page *tg_page_new(int *fd, tg_err *err)
{
    int memfd = memfd_create("tidegate-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    tg_page *page;

    if (memfd < 0) {
        tg_err_set(err, TG_ERR_IO,
                   "cannot create the shared page of a task: %s",
                   strerror(errno));
        return NULL;
    }
    if (ftruncate(memfd, TG_PAGE_SIZE) != 0) {
        tg_err_set(err, TG_ERR_IO,
                   "cannot size the shared page of a task to %d bytes: %s",
                   TG_PAGE_SIZE, strerror(errno));
        close(memfd);
        return NULL;
    }
    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    page = page_map(memfd, err);
    if (!page) {
        close(memfd);
        return NULL;
    }
    tg_page_set(page->abi, TG_ABI);
    *fd = memfd;
    return page;
}

tg_page *tg_page_map(int fd, tg_err *err)
{
    struct stat st;
    tg_page *page;

    if (fstat(fd, &st) != 0) {
        tg_err_set(err, TG_ERR_IO,
                   "descriptor %d should be the shared page of the task: %s",
                   fd, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < TG_PAGE_SIZE) {
        tg_err_set(err, TG_ERR_IO,
                   "descriptor %d should be the shared page of the task, but "
                   "is no file of %d bytes",
                   fd, TG_PAGE_SIZE);
        return NULL;
    }
    page = page_map(fd, err);
    if (page && tg_page_get(page->abi) != TG_ABI) {
        tg_err_set(err, TG_ERR_STATE,
                   "the shared page has ABI %u, but this binary has %d: was "
                   "tidegate upgraded while it ran? Restart the worker",
                   tg_page_get(page->abi), TG_ABI);
        tg_page_unmap(page);
        return NULL;
    }
    return page;
}

void tg_page_unmap(tg_page *page)
{
    if (page)
        munmap(page, TG_PAGE_SIZE);
}
