/*
 * Copyright (C) The im authors
 *
 * The tests of the npm package centrifuge, over server-sent events and emulation.
 */

'use strict';

require('./centrifuge.js');
