/*
 * Copyright (C) The im authors
 *
 * Options of directives by table: a row for each, and one parser.
 */

#ifndef NGX_IM_OPTION_H
#define NGX_IM_OPTION_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* All values but strings need a field of the size of a word. */
typedef enum {
    NGX_IM_OPTION_STRING = 0,    /* ngx_str_t; min and max of its length */
    NGX_IM_OPTION_NUMBER,
    NGX_IM_OPTION_SIZE,
    NGX_IM_OPTION_MSEC,
    NGX_IM_OPTION_SEC,
    NGX_IM_OPTION_WORD,          /* the name alone; it means min */
    NGX_IM_OPTION_CIDR           /* ngx_array_t *; there may be several */
} ngx_im_option_e;


typedef struct {
    ngx_str_t         name;      /* "history="; "": only a value */
    ngx_im_option_e   type;
    ngx_int_t         min;
    ngx_int_t         max;
    size_t            offset;
    const char       *cure;      /* NULL: the parser says what is wrong */
    ngx_uint_t        flags;
    ngx_uint_t        value;     /* the default of a limit in http{} */
} ngx_im_option_t;

#define ngx_im_option(n, kind, least, most, conf, member, why, flags)         \
    { ngx_string(n), NGX_IM_OPTION_##kind, least, most,                       \
      offsetof(conf, member), why, flags, 0 }
#define ngx_im_option_end  { ngx_null_string, 0, 0, 0, 0, NULL, 0, 0 }

#define ngx_im_option_field(conf, option)                                     \
    ((ngx_uint_t *) ((u_char *) (conf) + (option)->offset))

#define NGX_IM_OPTION_ONCE  1    /* the field is unset before */
#define NGX_IM_OPTION_MAIN  2    /* http{} only, in the main conf */

/* a product with seconds or milliseconds still fits */
#if (NGX_PTR_SIZE == 8)
#define NGX_IM_MAX  ((ngx_int_t) 1 << 40)
#else
#define NGX_IM_MAX  NGX_MAX_INT_T_VALUE
#endif


/* Sets conf by the arguments from first on; unknown is for all others. */
char *ngx_im_options(ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t first,
    const ngx_im_option_t *options, void *conf, const char *unknown);

/* Sets conf by one argument. */
char *ngx_im_option_set(ngx_conf_t *cf, ngx_command_t *cmd,
    const ngx_im_option_t *option, ngx_str_t *arg, void *conf);

/* Log an error and give NGX_CONF_ERROR. */
char *ngx_im_invalid(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *arg,
    const char *cure);
char *ngx_im_refuse(ngx_conf_t *cf, const char *fmt, ...);


#endif /* NGX_IM_OPTION_H */
