/*
 * Copyright (C) The im authors
 *
 * A reload goes on with the module that is loaded, also where its file is
 * another one by now: dlopen() finds it by its name.  The log says so.
 */

#include "ngx_im_hooks.h"

/* behind nginx's headers, which say what of libc they want */
#include <dlfcn.h>


/* The file as it was when this master loaded it; the first call sets it. */
static ngx_file_info_t  ngx_im_stale_loaded;
static ngx_uint_t       ngx_im_stale_known;

/* where the module is a part of nginx, nginx writes its title over the name */
static u_char           ngx_im_stale_name[NGX_MAX_PATH + 1];


static ngx_uint_t
ngx_im_stale_same(const ngx_file_info_t *fi)
{
    return fi->st_dev == ngx_im_stale_loaded.st_dev
           && fi->st_ino == ngx_im_stale_loaded.st_ino
           && fi->st_size == ngx_im_stale_loaded.st_size
           && fi->st_mtime == ngx_im_stale_loaded.st_mtime;
}


void
ngx_im_stale_check(ngx_cycle_t *cycle)
{
    Dl_info          info;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    if (!ngx_im_stale_known) {

        /* a name without a folder is that of a program of the PATH */

        if (dladdr(&ngx_im_stale_known, &info) != 0 && info.dli_fname != NULL
            && info.dli_fname[0] == '/'
            && ngx_strlen(info.dli_fname) <= NGX_MAX_PATH
            && ngx_file_info(info.dli_fname, &fi) != NGX_FILE_ERROR)
        {
            ngx_im_stale_known = 1;
            ngx_im_stale_loaded = fi;
            ngx_memcpy(ngx_im_stale_name, info.dli_fname,
                       ngx_strlen(info.dli_fname) + 1);
        }

        return;
    }

    err = ngx_file_info(ngx_im_stale_name, &fi) == NGX_FILE_ERROR ? ngx_errno
                                                                  : 0;

    if (err != 0) {
        /* Debian's nginx.conf logs no warnings */

        ngx_log_error(NGX_LOG_ERR, cycle->log, err,
                      "im: the file of the module, \"%s\", can't be found: "
                      "nginx goes on with what is loaded, and can't start "
                      "again without the file", ngx_im_stale_name);

    } else if (!ngx_im_stale_same(&fi)) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "im: \"%s\" has changed since nginx loaded it: a reload "
                      "goes on with the old module; for the new one run "
                      "\"kill -USR2 %P\" and then \"kill -QUIT %P\", or "
                      "restart nginx", ngx_im_stale_name, ngx_pid, ngx_pid);
    }
}
