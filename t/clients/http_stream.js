/*
 * Copyright (C) The im authors
 *
 * The tests of the npm package centrifuge, over HTTP streaming and emulation.
 */

'use strict';

require('./centrifuge.js');
