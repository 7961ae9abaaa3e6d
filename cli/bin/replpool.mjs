#!/usr/bin/env node
import { start } from './start.mjs';

start('main');
