'use strict'
const $ = id => document.getElementById(id)
// an element with text and children; whatever comes from the data becomes text, never HTML
const el = (tag, cls, ...inside) => {
  const e = document.createElement(tag)
  if (cls) e.className = cls
  e.append(...inside.filter(x => x !== null && x !== undefined && x !== ''))
  return e
}
const svg = (tag, attrs, ...inside) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const k in attrs) e.setAttribute(k, attrs[k])
  e.append(...inside)
  return e
}
const hue = label => (210 + 137.5 * label) % 360
const colour = (label, alpha = 1) => `hsl(${hue(label)} 70% 50% / ${alpha})`
const TASK = 0, SOURCE = 1, LINE = 2, TEXT = 3, GOLD = 4, FOUND = 5, ERRORS = 6, UNREAD = 7
const LIST = 100
let D, hits = [], at = 0, shown = LIST
const say = s => D.words[s] ?? s // the page in another language

// pairs [part, string] of a flat item [label, part, string, part, string, ...]
const mentions = item => { const m = []; for (let i = 1; i < item.length; i += 2) m.push([item[i], item[i + 1]]); return m }

function place(text, s) { // as a whole word if it stands as one
  const word = c => c !== undefined && /[A-Za-z0-9_]/.test(c)
  for (let i = text.indexOf(s); i >= 0; i = text.indexOf(s, i + 1))
    if (!word(text[i - 1]) && !word(text[i + s.length])) return i
  return text.indexOf(s)
}

// the mentions of items in a text; `good` says of an item, part and string whether it is right
function coloured(text, items, good) {
  const spans = [], seen = new Set()
  for (const item of items) for (const [part, s] of mentions(item)) {
    const i = s ? place(text, s) : -1, key = `${item[0]} ${part} ${i} ${s.length} ${good(item, part, s)}`
    if (i >= 0 && !seen.has(key)) { seen.add(key); spans.push({a: i, b: i + s.length, label: item[0], part, ok: good(item, part, s)}) }
  }
  const cuts = [...new Set([0, text.length, ...spans.flatMap(s => [s.a, s.b])])].sort((x, y) => x - y)
  const p = el('p', 'text')
  p.dir = 'auto'
  for (let i = 0; i + 1 < cuts.length; i++) {
    const over = spans.filter(s => s.a <= cuts[i] && s.b >= cuts[i + 1]).sort((x, y) => (x.b - x.a) - (y.b - y.a))
    const piece = text.slice(cuts[i], cuts[i + 1])
    if (!over.length) { p.append(piece); continue }
    const name = s => [D.labels[s.label], D.parts[s.part]].filter(Boolean).join(' · ')
    const wrong = over.some(s => !s.ok), m = el('mark', wrong ? 'wrong' : '', piece)
    m.style.background = colour(over[0].label, .2)
    m.style.boxShadow = over.map((s, k) => `0 ${2 + 3 * k}px 0 ${colour(s.label)}`).join(',')
    m.title = over.map(s => (s.ok ? '' : '✗ ') + name(s)).join('\n')
    p.append(m)
    const ends = over.filter(s => s.b === cuts[i + 1])
    if (ends.length) p.append(el('span', 'tag', ends.map(s => (s.ok ? '' : '✗ ') + name(s)).join(' / ')))
  }
  return p
}

// relations and attributes: the strings on a line, an arc for each item
function arcs(items, state) {
  const names = [...new Set(items.flatMap(i => mentions(i).map(m => m[1])))], gap = 132, width = gap * names.length
  if (names.length > 12 || names.length < 2) return null
  const x = s => gap * (names.indexOf(s) + .5)
  const pairs = items.map(i => { const m = mentions(i); return {label: D.parts[m[1][0]] && !['subject', 'object'].includes(D.parts[m[1][0]]) ? D.parts[m[1][0]] : D.labels[i[0]], hue: i[0], a: m[0][1], b: m[1][1], ok: state(i)} })
  const span = Math.max(...pairs.map(p => Math.abs(names.indexOf(p.a) - names.indexOf(p.b))), 1), top = 26 + 30 * span
  const g = svg('svg', {viewBox: `0 0 ${width} ${top + 30}`, width, height: top + 30, role: 'img', 'aria-label': 'items as arcs'})
  for (const [k, p] of pairs.entries()) {
    const a = x(p.a), b = x(p.b), h = p.a === p.b ? 24 : 30 * Math.abs(names.indexOf(p.a) - names.indexOf(p.b)), mid = (a + b) / 2
    const shift = 7 * (pairs.slice(0, k).filter(q => (q.a === p.a && q.b === p.b) || (q.a === p.b && q.b === p.a)).length)
    const path = p.a === p.b ? `M${a - 10},${top} C${a - 30},${top - 34} ${a + 30},${top - 34} ${a + 10},${top}` : `M${a},${top} Q${mid},${top - 2 * h - shift} ${b},${top}`
    g.append(svg('path', {d: path, fill: 'none', stroke: colour(p.hue), 'stroke-width': 2, 'stroke-dasharray': p.ok ? '' : '5 4'}),
             svg('path', {d: `M${b - 5},${top - 9} L${b},${top} L${b + 5},${top - 9}`, fill: 'none', stroke: colour(p.hue), 'stroke-width': 2}),
             svg('text', {x: mid, y: top - h - 5 - shift, 'text-anchor': 'middle', class: 'rel'}, short(p.label, 22)))
  }
  for (const s of names) g.append(svg('text', {x: x(s), y: top + 18, 'text-anchor': 'middle'}, svg('title', {}, s), short(s, 16)))
  return el('div', 'wide', g)
}
const short = (s, n) => { const c = [...s]; return c.length > n ? c.slice(0, n - 1).join('') + '…' : s }

// an item as a card: its label, then its parts
function card(item, odd) {
  const c = el('li', 'card', el('b', '', D.labels[item[0]]))
  c.style.borderLeftColor = colour(item[0])
  for (const [part, s] of mentions(item)) if (s) c.append(el('span', 'part', el('small', '', D.parts[part]), s))
  if (odd) c.append(el('span', 'odd', odd))
  return c
}

const fold = s => D.folded ? s.normalize('NFKC').toLowerCase().replace(/\s+/g, '') : s
const same = item => JSON.stringify([item[0], mentions(item).map(([part, s]) => [part, fold(s)]).sort()]) // the order of roles says nothing

function side(title, odd, row, items, others) {
  const said = new Set(others.map(same)), events = D.events[row[TASK]]
  const mention = (label, part, x) => JSON.stringify([label, part, fold(x)])
  const parts = new Set(events ? others.flatMap(i => mentions(i).map(m => mention(i[0], ...m))) : []) // of events each part counts
  const good = new Map(items.map(i => [i, said.has(same(i))]))
  const right = (i, part, x) => good.get(i) || parts.has(mention(i[0], part, x))
  const s = el('div', 'side', el('h4', '', say(title)), coloured(row[TEXT], items, right))
  const pairs = items.filter(i => i.length === 5 && !D.events[row[TASK]])
  if (pairs.length) s.append(arcs(pairs, i => good.get(i)) || '')
  if (items.some(i => i.length > 3)) s.append(el('ul', 'cards', ...items.slice(0, 200).map(i => card(i, good.get(i) ? '' : say(odd)))))
  const lost = [...new Set(items.flatMap(i => mentions(i).map(m => m[1])).filter(x => x && !row[TEXT].includes(x)))]
  if (lost.length) s.append(el('p', 'soft', say('not in the text') + ': ' + lost.join(', ')))
  if (!items.length) s.append(el('p', 'soft', say('nothing')))
  return s
}

const thing = t => t ? el('span', '', el('b', '', D.labels[t[0]]), ' ' + t.slice(1).filter(Boolean).join(' → ')) : null
function detail() {
  const box = $('detail')
  $('count').textContent = hits.length ? `${at + 1} ${say('of')} ${hits.length.toLocaleString('en')}` : say('nothing fits')
  box.replaceChildren()
  if (!hits.length) return
  const row = D.rows[hits[at]]
  const link = el('a', '', `${say('line')} ${row[LINE]}`)
  link.href = `#line=${row[LINE]}`
  const wrong = [[GOLD, FOUND], [FOUND, GOLD]].some(([a, b]) => { const x = new Set(row[b].map(same)); return row[a].some(i => !x.has(same(i))) })
  box.append(el('p', 'soft', link, ` · ${D.sources[row[SOURCE]]} · ${D.tasks[row[TASK]]}`, wrong ? ` · ${say('dashed: not found or not annotated')}` : ''),
    el('div', 'sides', side('annotated', 'not found', row, row[GOLD], row[FOUND]), side('predicted', 'not annotated', row, row[FOUND], row[GOLD])))
  if (row[UNREAD].length) box.append(el('p', 'soft', say('cannot be read') + ':'), ...row[UNREAD].map(a => el('pre', '', a || say('(empty)'))))
  if (row[ERRORS].length) box.append(el('ul', 'errors', ...row[ERRORS].map(e => el('li', '', el('span', 'kind', say(D.kinds[e[0]])),
    thing(e[1]), e[1] && e[2] ? el('span', 'soft', ` ${say('for')} `) : null, thing(e[2])))))
  else box.append(el('p', 'soft', say(row[UNREAD].length ? 'nothing was annotated under the labels of this answer' : 'all right')))
  follow()
}

// the list shows which text is open; it is one stop of the Tab key, and arrow keys move in it
function follow() {
  const box = $('list')
  for (const li of box.children) {
    const here = +li.dataset.i === at, b = li.firstChild
    li.classList.toggle('here', here)
    b.tabIndex = here ? 0 : -1
    if (!here) { b.removeAttribute('aria-current'); continue }
    b.setAttribute('aria-current', 'true')
    const top = li.offsetTop
    if (top < box.scrollTop) box.scrollTop = top
    else if (top + li.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + li.offsetHeight - box.clientHeight
  }
}

function list() {
  $('list').replaceChildren(...hits.slice(0, shown).map((h, i) => {
    const row = D.rows[h], b = el('button', '', el('span', 'soft', String(row[LINE])), el('span', 'snip', row[TEXT].slice(0, 120)),
      row[ERRORS].length ? el('span', 'kind', String(row[ERRORS].length)) : '')
    b.type = 'button'
    b.onclick = () => { at = i; detail(); remember() }
    const li = el('li', '', b)
    li.dataset.i = i
    return li
  }))
  $('more').hidden = hits.length <= shown
}

function filter() {
  const start = performance.now(), kind = $('kind').value, label = $('label').value, source = $('source').value, q = $('q').value.trim().toLowerCase()
  const k = +kind, l = +label, s = +source
  hits = []
  for (let i = 0; i < D.rows.length; i++) {
    const row = D.rows[i], errors = row[ERRORS]
    if (source !== '' && row[SOURCE] !== s) continue
    if (kind === 'unread' && !row[UNREAD].length) continue
    if (kind === 'wrong' ? !errors.length : kind === 'right' ? errors.length : false) continue
    if (kind !== '' && k >= 0) {
      if (!errors.some(e => e[0] === k && (label === '' || (e[1] && e[1][0] === l) || (e[2] && e[2][0] === l)))) continue
    } else if (label !== '' && !row[GOLD].some(x => x[0] === l) && !row[FOUND].some(x => x[0] === l)) continue
    if (q && !lower(i).includes(q)) continue
    hits.push(i)
  }
  at = 0; shown = LIST
  list(); detail()
  document.body.dataset.ms = Math.round(performance.now() - start)
}
const lowered = []
const lower = i => lowered[i] ??= (D.rows[i][TEXT] + '\n' + [...D.rows[i][GOLD], ...D.rows[i][FOUND]].map(x => mentions(x).map(m => m[1]).join(' ')).join('\n')).toLowerCase()

function go(step) {
  if (!hits.length) return
  at = (at + step + hits.length) % hits.length
  if (at >= shown) { shown = at + LIST; list() }
  detail(); remember()
}

// the address of the page leads to one text: page.html#line=12
function remember() { if (hits.length) history.replaceState(null, '', `#line=${D.rows[hits[at]][LINE]}`) }
function open() {
  const line = +(/^#line=(\d+)$/.exec(location.hash) || [])[1]
  if (!line) return
  for (const id of ['kind', 'label', 'source', 'q']) $(id).value = ''
  filter()
  let best = 0
  hits.forEach((h, i) => { const n = D.rows[h][LINE]; if (n <= line && n >= D.rows[hits[best]][LINE]) best = i })
  at = best
  if (at >= shown) { shown = at + LIST; list() }
  detail()
  $('browser').scrollIntoView()
}

function choices(id, names, first) {
  $(id).append(...first.map(([v, t]) => new Option(t, v)), ...names.map(([i, n]) => new Option(n, i)))
  $(id).onchange = filter
}

function start() {
  D = JSON.parse($('data').textContent)
  const often = D.kinds.map(() => 0)
  for (const r of D.rows) for (const e of r[ERRORS]) often[e[0]]++
  const first = [['', 'all texts'], ['wrong', 'with errors'], ['right', 'without errors'], ['unread', 'with unreadable answers']]
  choices('kind', D.kinds.map((n, i) => [i, `${say(n)} (${often[i]})`]).filter(([i]) => often[i]), first.map(([v, t]) => [v, say(t)]))
  choices('label', D.labels.map((n, i) => [i, n]), [['', say('any label')]])
  choices('source', D.sources.map((n, i) => [i, n]), [['', say('any source')]])
  $('source').hidden = D.sources.length < 2
  $('q').oninput = filter
  $('prev').onclick = () => go(-1)
  $('next').onclick = () => go(1)
  $('more').onclick = () => { shown += LIST; list(); detail() }
  document.addEventListener('keydown', e => {
    if (['INPUT', 'SELECT', 'TEXTAREA'].includes(e.target.tagName) || e.altKey || e.ctrlKey || e.metaKey) return
    if (e.key === 'ArrowRight') go(1)
    if (e.key === 'ArrowLeft') go(-1)
  })
  $('list').addEventListener('keydown', e => {
    const step = {ArrowDown: 1, ArrowUp: -1, Home: -at, End: $('list').children.length - 1 - at}[e.key]
    if (step === undefined || !$('list').contains(e.target)) return
    e.preventDefault()
    go(step)
    $('list').querySelector('.here button').focus({preventScroll: true})
  })
  window.addEventListener('hashchange', open)
  for (const b of document.querySelectorAll('[data-kind]')) b.onclick = () => {
    $('kind').value = b.dataset.kind; filter(); $('browser').scrollIntoView({behavior: 'smooth'})
  }
  filter()
  open()
  document.body.dataset.ready = '1'
}
requestAnimationFrame(() => setTimeout(start))
