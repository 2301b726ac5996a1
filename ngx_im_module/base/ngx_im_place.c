/*
 * Copyright (C) The im authors
 *
 * Places where sessions begin.
 *
 * A place is the number of addresses, of names and of keys of its server in a
 * byte each, a hash of the location, and a hash of each address, name and key.
 * A server may get and lose some of them: the one that has most of them in
 * common is the same one, if one address and one name are.  A socket of
 * im_listen has addresses alone.
 *
 * Keys are those of tokens, where sessions rest on tokens.  There may be more
 * of them later, and not fewer.
 */

#include "ngx_im_place.h"
#include "im_buf.h"
#include "im_hash.h"


#define NGX_IM_PLACE_EACH  20            /* addresses, names or keys */
#define NGX_IM_PLACE_MAX   (3 + 8 + 3 * NGX_IM_PLACE_EACH * 4)


/* A place, read. */
typedef struct {
    ngx_uint_t  naddrs;
    ngx_uint_t  nnames;
    ngx_uint_t  nkeys;
    im_str_t    location;
    im_str_t    addrs;
    im_str_t    names;
    im_str_t    keys;
} ngx_im_place_t;


/* The same in all workers and binaries. */
static const uint64_t  ngx_im_place_seed[2] = {
    0x696d20706c616365ULL, 0x6f662073657373ULL
};


static uint64_t
ngx_im_place_hash(ngx_str_t *s)
{
    return im_siphash(ngx_im_place_seed, s->data, s->len);
}


static ngx_uint_t
ngx_im_place_serves(ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                  i;
    ngx_http_core_srv_conf_t  **servers;

    servers = addr->servers.elts;

    for (i = 0; i < addr->servers.nelts; i++) {
        if (servers[i] == cscf) {
            return 1;
        }
    }

    return 0;
}


/* Those that the server listens on; how many. */
static ngx_uint_t
ngx_im_place_addrs(im_buf_t *b, ngx_http_core_main_conf_t *cmcf,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t             i, k, n, nports;
    ngx_http_conf_addr_t  *addrs;
    ngx_http_conf_port_t  *ports;

    n = 0;
    ports = cmcf->ports != NULL ? cmcf->ports->elts : NULL;
    nports = cmcf->ports != NULL ? cmcf->ports->nelts : 0;

    for (i = 0; i < nports; i++) {
        addrs = ports[i].addrs.elts;

        for (k = 0; k < ports[i].addrs.nelts && n < NGX_IM_PLACE_EACH; k++) {
            if (ngx_im_place_serves(&addrs[k], cscf)) {
                im_buf_add_u32(b, (uint32_t)
                               ngx_im_place_hash(&addrs[k].opt.addr_text));
                n++;
            }
        }
    }

    return n;
}


static ngx_uint_t
ngx_im_place_names(im_buf_t *b, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t               i, n;
    ngx_http_server_name_t  *names;

    names = cscf->server_names.elts;
    n = ngx_min(cscf->server_names.nelts, NGX_IM_PLACE_EACH);

    for (i = 0; i < n; i++) {
        im_buf_add_u32(b, (uint32_t) ngx_im_place_hash(&names[i].name));
    }

    return n;
}


ngx_int_t
ngx_im_place_key(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    const im_str_t *texts, ngx_uint_t n)
{
    uint32_t    *mark;
    im_buf_t     b;
    ngx_str_t    s;
    ngx_uint_t   i;

    if (imcf->jwt_marks == NULL) {
        imcf->jwt_marks = ngx_array_create(cf->pool, 4, sizeof(uint32_t));
    }

    mark = imcf->jwt_marks != NULL ? ngx_array_push(imcf->jwt_marks) : NULL;

    if (mark == NULL) {
        return NGX_ERROR;
    }

    im_buf_init(&b, NGX_MAX_SIZE_T_VALUE);

    for (i = 0; i < n; i++) {
        im_buf_add_u32(&b, (uint32_t) texts[i].len);
        im_buf_add_str(&b, texts[i]);
    }

    s.data = b.data;
    s.len = b.len;
    *mark = (uint32_t) ngx_im_place_hash(&s);

    i = b.failed;
    im_buf_cleanup(&b);

    return i ? NGX_ERROR : NGX_OK;
}


/* Those that are too many count as one. */
static ngx_uint_t
ngx_im_place_keys(im_buf_t *b, const ngx_im_loc_conf_t *conf)
{
    uint32_t    *marks;
    ngx_str_t    rest;
    ngx_uint_t   i, n;

    if (conf->auth != NGX_IM_AUTH_JWT || conf->main->jwt_marks == NULL) {
        return 0;
    }

    marks = conf->main->jwt_marks->elts;
    n = conf->main->jwt_marks->nelts;

    for (i = 0; i < n && i < NGX_IM_PLACE_EACH - 1; i++) {
        im_buf_add_u32(b, marks[i]);
    }

    if (i < n) {
        rest.data = (u_char *) &marks[i];
        rest.len = (n - i) * sizeof(uint32_t);

        im_buf_add_u32(b, (uint32_t) ngx_im_place_hash(&rest));
        i++;
    }

    return i;
}


/*
 * What must be as it was: where it is among the locations, and who may come in.
 * before: so many locations like this one, as blocks of "if" are.
 */
static uint64_t
ngx_im_place_location(const ngx_im_loc_conf_t *conf, ngx_uint_t tcp,
    ngx_uint_t before)
{
    u_char                     *p;
    u_char                      text[NGX_MAX_CONF_ERRSTR];
    ngx_str_t                   s;
    ngx_str_t                   user;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = conf->clcf;

    ngx_str_null(&user);

    if (conf->user != NULL) {
        user = conf->user->value;
    }

    p = ngx_snprintf(text, sizeof(text), "%s %ui %ui %ui %ui %ui %ui %ui %V ",
                     conf->proto->name, conf->auth, tcp, before,
                     (ngx_uint_t) clcf->exact_match,
                     (ngx_uint_t) clcf->noname,
#if (NGX_PCRE)
                     (ngx_uint_t) (clcf->regex != NULL),
#else
                     (ngx_uint_t) 0,
#endif
                     (ngx_uint_t) (conf->webhooks[IM_WEBHOOK_CONNECT].len > 0),
                     &user);

    s.data = text;
    s.len = p - text;

    return tcp ? ngx_im_place_hash(&s)
               : ngx_im_place_hash(&s) ^ ngx_im_place_hash(&clcf->name);
}


static ngx_int_t
ngx_im_place_set(ngx_conf_t *cf, ngx_im_loc_conf_t *conf, im_buf_t *b,
    ngx_uint_t naddrs, ngx_uint_t nnames)
{
    b->data[0] = (u_char) naddrs;
    b->data[1] = (u_char) nnames;
    b->data[2] = (u_char) ngx_im_place_keys(b, conf);

    conf->place.len = b->len;
    conf->place.data = ngx_pnalloc(cf->pool, b->len);

    if (conf->place.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(conf->place.data, b->data, b->len);

    return NGX_OK;
}


static ngx_int_t
ngx_im_place_comet(ngx_conf_t *cf, ngx_http_core_main_conf_t *cmcf,
    ngx_im_loc_conf_t **comets, ngx_uint_t i)
{
    u_char              bytes[NGX_IM_PLACE_MAX];
    im_buf_t            b;
    ngx_uint_t          k, before, naddrs, nnames;
    ngx_im_loc_conf_t  *conf;

    conf = comets[i];
    before = 0;

    for (k = 0; k < i; k++) {
        before += comets[k]->cscf == conf->cscf
                  && comets[k]->clcf->noname == conf->clcf->noname
                  && comets[k]->clcf->name.len == conf->clcf->name.len
                  && ngx_memcmp(comets[k]->clcf->name.data,
                                conf->clcf->name.data, conf->clcf->name.len)
                     == 0;
    }

    im_buf_fixed(&b, bytes, sizeof(bytes));

    im_buf_add_u16(&b, 0);
    im_buf_add_u8(&b, 0);
    im_buf_add_u64(&b, ngx_im_place_location(conf, 0, before));

    naddrs = ngx_im_place_addrs(&b, cmcf, conf->cscf);
    nnames = ngx_im_place_names(&b, conf->cscf);

    return ngx_im_place_set(cf, conf, &b, naddrs, nnames);
}


static ngx_int_t
ngx_im_place_listen(ngx_conf_t *cf, ngx_im_listen_t *listen)
{
    u_char      bytes[NGX_IM_PLACE_MAX];
    im_buf_t    b;
    ngx_uint_t  i, n;

    im_buf_fixed(&b, bytes, sizeof(bytes));

    im_buf_add_u16(&b, 0);
    im_buf_add_u8(&b, 0);
    im_buf_add_u64(&b, ngx_im_place_location(listen->conf, 1, 0));

    n = ngx_min(listen->naddrs, NGX_IM_PLACE_EACH);

    for (i = 0; i < n; i++) {
        im_buf_add_u32(&b, (uint32_t)
                       ngx_im_place_hash(&listen->addrs[i].name));
    }

    return ngx_im_place_set(cf, listen->conf, &b, n, 0);
}


ngx_int_t
ngx_im_place_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf)
{
    ngx_uint_t                   i;
    ngx_im_listen_t            **listens;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < imcf->comets.nelts; i++) {
        if (ngx_im_place_comet(cf, cmcf, imcf->comets.elts, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    listens = imcf->listens.elts;

    for (i = 0; i < imcf->listens.nelts; i++) {
        if (ngx_im_place_listen(cf, listens[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_place_read(im_str_t place, ngx_im_place_t *p)
{
    im_reader_t  r;

    im_reader_init(&r, place);

    p->naddrs = im_reader_u8(&r);
    p->nnames = im_reader_u8(&r);
    p->nkeys = im_reader_u8(&r);
    p->location = im_reader_bytes(&r, 8);
    p->addrs = im_reader_bytes(&r, p->naddrs * 4);
    p->names = im_reader_bytes(&r, p->nnames * 4);
    p->keys = im_reader_bytes(&r, p->nkeys * 4);

    return r.failed || r.p != r.end ? NGX_ERROR : NGX_OK;
}


/* So many hashes are in both. */
static ngx_uint_t
ngx_im_place_common(im_str_t a, im_str_t b)
{
    size_t      i, k;
    ngx_uint_t  n;

    n = 0;

    for (i = 0; i < a.len; i += 4) {
        for (k = 0; k < b.len; k += 4) {
            if (ngx_memcmp(a.data + i, b.data + k, 4) == 0) {
                n++;
                break;
            }
        }
    }

    return n;
}


/* 0: it is another one. */
static ngx_uint_t
ngx_im_place_like(const ngx_im_place_t *place, const ngx_im_loc_conf_t *conf)
{
    ngx_uint_t      naddrs, nnames;
    ngx_im_place_t  p;

    if (ngx_im_place_read(ngx_im_str(conf->place), &p) != NGX_OK
        || !im_str_eq(p.location, place->location)
        || ngx_im_place_common(place->keys, p.keys) < place->nkeys)
    {
        return 0;
    }

    naddrs = ngx_im_place_common(place->addrs, p.addrs);
    nnames = ngx_im_place_common(place->names, p.names);

    return naddrs == 0 || (nnames == 0 && place->nnames + p.nnames > 0)
           ? 0 : naddrs + nnames;
}


ngx_im_loc_conf_t *
ngx_im_place_find(const ngx_im_main_conf_t *imcf, im_str_t place)
{
    ngx_uint_t            i, n, most;
    ngx_im_place_t        p;
    ngx_im_listen_t     **listens;
    ngx_im_loc_conf_t    *conf, *found, **comets;

    if (ngx_im_place_read(place, &p) != NGX_OK) {
        return NULL;
    }

    most = 0;
    found = NULL;
    comets = imcf->comets.elts;
    listens = imcf->listens.elts;

    for (i = 0; i < imcf->comets.nelts + imcf->listens.nelts; i++) {
        conf = i < imcf->comets.nelts ? comets[i]
                                      : listens[i - imcf->comets.nelts]->conf;
        n = ngx_im_place_like(&p, conf);

        if (n > most) {
            most = n;
            found = conf;
        }
    }

    return found;
}
