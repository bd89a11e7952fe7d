#include "corpus/template_rules.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <unordered_map>

namespace bertha::corpus {
namespace {

using enum TemplateAction;

/// Templates with the same text; each name ends with a semicolon.
struct RuleGroup {
  std::string_view names;
  TemplateAction action;
  std::string_view pattern;
};

// In the patterns \x02 is kApostrophe (wikitext.h).
// clang-format off
constexpr auto kAllWikis = std::to_array<RuleGroup>({
    {"convert;", kMeasure, ""},
    {"cvt;", kMeasure, "short"},
    {"!(;lbrack;", kLiteral, "["},
    {"$;", kText, "${1}"},
    {"';-';apos;apostrophe;", kLiteral, "\x02"},
    {"'s;'s-;", kLiteral, "\x02s"},
    {"(;", kLiteral, "{"},
    {");", kLiteral, "}"},
    {")!;rbrack;", kLiteral, "]"},
    {"--;em dash;emdash;mdash;—;", kLiteral, "—"},
    {"=;", kLiteral, "="},
    {"\\;", kLiteral, " / "},
    {"a$;au$;aud;", kText, "A${1}"},
    {"abbr;abbrv;abs;angbr;angle bracket;asiantitle;b;bi;bibleref;big;bigmath;"
     "birth year;birth year and age;birth-year;block indent;blockindent;bold;center;"
     "chem2;citation needed span;cjkv;clarify span;code;cursive;death year;"
     "death year and age;disputed inline span;dubious span;em;fact span;flag;"
     "flagcountry;flagu;flatlist;formatnum;grc;hebrew;hiero;i;iast;iast3;ill;illm;in5;"
     "interlanguage link;interlanguage link multi;interwiki link;iso 15919;italic;"
     "italic correction;italics;japanese;jis2004フォント;jis90フォント;kbd;key;key press;"
     "keypress;ko-hhrm;korean;lang-en-short;larger;lc;lcfirst;link-interwiki;"
     "main other;math;mathcal;mono;monospace;mset;music;mvar;nastaliq;nihongo foot;"
     "nihongo2;nobold;nobr;nobreak;noitalic;nowrap;nts;ntsh;number table sorting;"
     "overline;plain text;plainlist;polytonic;proper name;runic;samp;sans-serif;sc;"
     "sc2;scallcaps;script/arabic;script/cyrillic;script/greek;script/hebrew;"
     "script/runic;serif;sic;small;smallcaps;smallcaps all;smaller;strikethrough;"
     "strong;sub;sup;text;tooltip;tt;typo;u;uc;uc first;ucfirst;underline;unicode;"
     "vanchor;var;vec;visible anchor;wikt;仮リンク;拡張漢字;補助漢字;補助漢字フォント;",
     kText, "{1}"},
    {"age;age at date;age in years;", kAge, ""},
    {"aleph;hamza;", kLiteral, "ʼ"},
    {"align;audio;bibleverse-nb;color;colored text;font color;fontcolor;"
     "foreign language;hover title;lang;lang2;langue;native name;native phrase;"
     "pronunciation;rtl-lang;script;text color;wikt-lang;",
     kText, "{2}"},
    {"ampersand;", kLiteral, "&"},
    {"as written;chem;gaps;linktext;not a typo;notatypo;su;", kJoin, ""},
    {"aye;tick;ya;", kLiteral, "✓"},
    {"ayin;", kLiteral, "ʽ"},
    {"bda;birth date;birth date and age;birth date2;birth-date;birth-date and age;"
     "birthdate;birthdate and age;date of birth;dda;death date;death date and age;"
     "death-date;death-date and age;deathdate;dob;dts;end date;end date and age;"
     "end-date;event date;film date;launch date;opening date;published date;"
     "release date;start date;start date and age;start-date;",
     kDate, ""},
    {"bdt;৳;", kText, "৳{1}"},
    {"bibleverse;", kWords, ""},
    {"block quote;blockquote;bq;centered quote;citaat;citat;citation bloc;"
     "citazione;cquote;cytat;cytat blok;début citation;imagequote;long quote;"
     "poem quote;poemquote;pull quote;quotation;quote;quote box;quote frame;"
     "quote paragraph;quotebox;rquote;zitat;цитата;",
     kText, "{text/quote/citation/content/1}"},
    {"brl;r$;", kText, "R${1}"},
    {"bull;bullet;•;", kLiteral, " • "},
    {"bulleted list;comma separated entries;cslist;flat list;hlist;ordered list;ubl;"
     "ublist;ulist;unbulleted list;",
     kList, ""},
    {"c$;ca$;cad;can$;", kText, "CA${1}"},
    {"chf;sfr.;", kText, "CHF {1}"},
    {"chinese;lang-zh;zh;", kScripts, ""},
    {"cny;cn¥;renminbi;rmb;yuan;", kText, "CN¥{1}"},
    {"colon;", kLiteral, ":"},
    {"cur;currency;", kText, "{1}[ {2}]"},
    {"czk;", kText, "CZK {1}"},
    {"dash;snd;sndash;snds;spaced en dash;spaced endash;spaced ndash;spnd;", kLiteral, " – "},
    {"deg;degree;", kLiteral, "°"},
    {"dkk;", kText, "DKK {1}"},
    {"dot;interpunct;middot;·;", kLiteral, " · "},
    {"double prime;pprime;", kLiteral, "″"},
    {"duration;", kDuration, ""},
    {"e;esp;exp10;", kText, "×10^{1}"},
    {"ell;", kLiteral, "ℓ"},
    {"en dash;endash;ndash;–;", kLiteral, "–"},
    {"eur;euro;euros;€;", kText, "€{1}"},
    {"fact or fiction;lrm;nowrap begin;nowrap end;rlm;shy;wbr;zwj;zwnbsp;zwnj;", kLiteral, ""},
    {"flag+link;resize;romanization;tlit;transl;translit;transliteration;", kLast, ""},
    {"flat;", kLiteral, "♭"},
    {"frac;frac2;fractie;fraction;sfrac;", kFraction, ""},
    {"gbp;gb£;pound;pound sterling;stg;£;", kText, "£{1}"},
    {"ghs;", kText, "GH₵{1}"},
    {"hair space;hairsp;nbsp;pad;space;spaces;spc;thin space;thinsp;zwsp;", kLiteral, " "},
    {"hbar;", kLiteral, "ħ"},
    {"height;", kHeight, ""},
    {"hk$;hkd;", kText, "HK${1}"},
    {"huf;", kText, "HUF {1}"},
    {"idr;", kText, "Rp{1}"},
    {"iep;irl£;ir£;", kText, "IR£{1}"},
    {"ils;nis;₪;", kText, "₪{1}"},
    {"indian rupee;indian rupees;inr;rs;rs.;rupee;₹;", kText, "₹{1}"},
    {"infin;infinity;", kLiteral, "∞"},
    {"inr convert;inrconvert;", kText, "₹{1}[ {2}]"},
    {"itl;₤;", kText, "₤{1}"},
    {"japonais;nihongo;nihongo krt;nihongo3;", kNihongo, ""},
    {"jpy;jp¥;yen;¥;", kText, "¥{1}"},
    {"kes;", kText, "KSh {1}"},
    {"krw;won;₩;", kText, "₩{1}"},
    {"lkr;", kText, "LKR {1}"},
    {"mex$;mx$;mxn;", kText, "MX${1}"},
    {"minus;", kLiteral, "−"},
    {"myr;", kText, "RM{1}"},
    {"naira;ngn;₦;", kText, "₦{1}"},
    {"natural;", kLiteral, "♮"},
    {"nok;", kText, "NOK {1}"},
    {"nt$;ntd;twd;", kText, "NT${1}"},
    {"nz$;nzd;", kText, "NZ${1}"},
    {"okina;ʻ;", kLiteral, "ʻ"},
    {"peso;php;₱;", kText, "₱{1}"},
    {"pi;", kLiteral, "π"},
    {"pkr;", kText, "PKR {1}"},
    {"pln;", kText, "PLN {1}"},
    {"plusminus;±;", kLiteral, "±"},
    {"prime;", kLiteral, "′"},
    {"radic;root;sqrt;square root;", kText, "√{2/1}"},
    {"rub;rur;₽;", kText, "₽{1}"},
    {"rubi;ruby;ruby-ja;ruby-py;読み仮名;読み仮名 ruby不使用;", kText, "{1}（{2}）"},
    {"s$;sgd;", kText, "S${1}"},
    {"s';", kLiteral, "s\x02"},
    {"section link;slink;", kText, "[{1} ]§ {2}"},
    {"sek;", kText, "SEK {1}"},
    {"semicolon;", kLiteral, ";"},
    {"sharp;", kLiteral, "♯"},
    {"ship;sort name;sortname;", kText, "{1} {2}"},
    {"sort;", kText, "{2/1}"},
    {"spaced em dash;spaced mdash;", kLiteral, " — "},
    {"star;", kLiteral, "*"},
    {"thb;฿;", kText, "฿{1}"},
    {"times;", kLiteral, "×"},
    {"tl;try;₺;", kText, "₺{1}"},
    {"u.s.$;us dollar;us$;usd;", kText, "US${1}"},
    {"uah;₴;", kText, "₴{1}"},
    {"val;", kValue, ""},
    {"vnd;₫;", kText, "₫{1}"},
    {"zar;", kText, "R{1}"},
    {"langx;", kLabelled, ""},
});

constexpr auto kEnglish = std::to_array<RuleGroup>({
    {"apr. j.-c.;", kLiteral, "apr. J.-C."},
    {"as of;asof;", kAsOf, ""},
    {"av. j.-c.;", kLiteral, "av. J.-C."},
    {"b.;born;", kText, "b. {1}"},
    {"bce;", kText, "{2/1} BCE"},
    {"ce;", kText, "{2/1} CE"},
    {"born as;nee;née;", kText, "née {1}"},
    {"c.;ca;ca.;circa;", kText, "c. {1}[ – c. {2}]"},
    {"conv;convert;", kMeasure, ""},
    {"css;", kText, "CSS {1}"},
    {"cvt;", kMeasure, "short"},
    {"d.;died;", kText, "d. {1}"},
    {"date;dmy;mdy;", kDateText, ""},
    {"fl;fl.;floruit;", kText, "fl. {1}[ – {2}]"},
    {"gloss;single quote;", kText, "\x02{1}\x02"},
    {"harvcoltxt;harvtext;harvtxt;", kText, "{1}[ ({2})]"},
    {"hdms;", kText, "HDMS {1}"},
    {"hmas;", kText, "HMAS {1}"},
    {"hmcs;", kText, "HMCS {1}"},
    {"hmnzs;", kText, "HMNZS {1}"},
    {"hms;", kText, "HMS {1}"},
    {"hmt;", kText, "HMT {1}"},
    {"hmy;", kText, "HMY {1}"},
    {"hnlms;", kText, "HNLMS {1}"},
    {"hswms;", kText, "HSWMS {1}"},
    {"ins;", kText, "INS {1}"},
    {"lit;literal;literal translation;literally;", kText, "lit. \x02{1}\x02"},
    {"marriage;", kText, "{1}[ (m. {2})]"},
    {"ms;", kText, "MS {1}"},
    {"mv;", kText, "MV {1}"},
    {"ne;né;", kText, "né {1}"},
    {"no.;number sign;numero;", kText, "No. {1}"},
    {"nos.;numeros;", kText, "Nos. {1}"},
    {"nth;ord;ordinal;", kOrdinal, ""},
    {"oldstyledate;osd;", kWords, ""},
    {"pns;", kText, "PNS {1}"},
    {"proper noun;quote without source;", kText, "{1}"},
    {"r.;reign;", kText, "r. {1}[ – {2}]"},
    {"rfa;", kText, "RFA {1}"},
    {"rms;", kText, "RMS {1}"},
    {"rv;", kText, "RV {1}"},
    {"sclass;sclass-;sclass2;sclass2-;", kText, "{1}-class {2}"},
    {"sms;", kText, "SMS {1}"},
    {"smu;", kText, "SMU {1}"},
    {"ss;", kText, "SS {1}"},
    {"usat;", kText, "USAT {1}"},
    {"uscgc;", kText, "USCGC {1}"},
    {"uscs;", kText, "USCS {1}"},
    {"usns;", kText, "USNS {1}"},
    {"usrc;", kText, "USRC {1}"},
    {"uss;", kText, "USS {1}"},
});

constexpr auto kGerman = std::to_array<RuleGroup>({
    {"0;00;absatz;nnbsp;", kLiteral, " "},
    {"\";", kText, "„{1}“"},
    {"arf;ensi;faf;hef;kapitälchen;lateinschrift;polytonisch;versalien;", kText, "{1}"},
    {"ars;", kText, "arabisch {1}"},
    {"bgs;", kText, "bulgarisch {1}"},
    {"bindestrich;", kLiteral, "-"},
    {"convert;", kMeasure, ""},
    {"css;", kText, "tschechisch {1}"},
    {"das;", kText, "dänisch {1}"},
    {"els;", kText, "griechisch {1}"},
    {"ens;", kText, "englisch {1}"},
    {"ess;", kText, "spanisch {1}"},
    {"fas;", kText, "persisch {1}"},
    {"fis;", kText, "finnisch {1}"},
    {"frs;", kText, "französisch {1}"},
    {"grcs;", kText, "altgriechisch {1}"},
    {"hes;", kText, "hebräisch {1}"},
    {"hrs;", kText, "kroatisch {1}"},
    {"hus;", kText, "ungarisch {1}"},
    {"hys;", kText, "armenisch {1}"},
    {"its;", kText, "italienisch {1}"},
    {"jas;", kText, "japanisch {1}"},
    {"kas;", kText, "georgisch {1}"},
    {"kos;", kText, "koreanisch {1}"},
    {"las;", kText, "lateinisch {1}"},
    {"nls;", kText, "niederländisch {1}"},
    {"nos;", kText, "norwegisch {1}"},
    {"pls;", kText, "polnisch {1}"},
    {"pts;", kText, "portugiesisch {1}"},
    {"ros;", kText, "rumänisch {1}"},
    {"rus;", kText, "russisch {1}"},
    {"s.;", kText, "S. {1}"},
    {"sks;", kText, "slowakisch {1}"},
    {"sls;", kText, "slowenisch {1}"},
    {"srs;", kText, "serbisch {1}"},
    {"svs;", kText, "schwedisch {1}"},
    {"trs;", kText, "türkisch {1}"},
    {"uks;", kText, "ukrainisch {1}"},
    {"vis;", kText, "vietnamesisch {1}"},
    {"zhs;", kText, "chinesisch {1}"},
    {"zitat-de;zitat-en;zitat-fr;zitat-la;", kText, "{text/1}"},
});

constexpr auto kFrench = std::to_array<RuleGroup>({
    {"-s;-s-;siècle av. j.-c.;", kText, "{1}{2/=e} siècle av. J.-C."},
    {"1er;", kLiteral, "1er"},
    {"1re;1ère;", kLiteral, "1re"},
    {"2e;", kLiteral, "2e"},
    {"3e;", kLiteral, "3e"},
    {"4e;", kLiteral, "4e"},
    {"5e;", kLiteral, "5e"},
    {"\";guil;", kText, "« {1} »"},
    {"abrd;abrév;abréviation;abréviation discrète;exp;exposant;ind;indice;"
     "nobr romains;pc;petites capitales;rom;rom-maj;romains;souligner;surligner;"
     "terme défini;",
     kText, "{1}"},
    {"apr. j.-c.;", kLiteral, "apr. J.-C."},
    {"av. j.-c.;", kLiteral, "av. J.-C."},
    {"circa;", kText, "c. {1}"},
    {"citation;citation en ligne;citation étrangère;", kText, "{text/citation/1}"},
    {"conv;nb;nombre;unit;unité;unité/2;", kText, "{1}[ {2}]"},
    {"conversion;convert;", kMeasure, ""},
    {"date;date de décès;date de naissance;date de naissance-;date rapide;date sport;"
     "date-;décès;naissance;",
     kDateDmy, ""},
    {"dr;", kText, "Dr {1}"},
    {"e;e-;ème;", kLiteral, "e"},
    {"er;", kLiteral, "er"},
    {"heure;", kText, "{1} h[ {2}]"},
    {"heures;", kText, "{1} h"},
    {"ier;", kLiteral, "Ier"},
    {"iie;", kLiteral, "IIe"},
    {"iiie;", kLiteral, "IIIe"},
    {"incise;", kText, "– {1} –"},
    {"ire;", kLiteral, "Ire"},
    {"km/h;", kLiteral, "km/h"},
    {"km2;", kLiteral, "km²"},
    {"lien;lien interwiki;", kText, "{texte/1/fr/trad}"},
    {"m.;", kText, "M. {1}"},
    {"me;", kLiteral, "me"},
    {"me.;", kText, "Me {1}"},
    {"mgr;", kText, "Mgr {1}"},
    {"mlle;", kText, "Mlle {1}"},
    {"mm.;", kText, "MM. {1}"},
    {"mme;", kText, "Mme {1}"},
    {"no;numéro;n°;", kText, "no {1}"},
    {"nos;", kText, "nos {1}"},
    {"o;", kLiteral, "o"},
    {"p.;page;pp.;", kText, "p. {1}"},
    {"re;", kLiteral, "re"},
    {"s;s-;siècle;", kText, "{1}{2/=e} siècle"},
    {"s mini;s mini-;", kText, "{1}{2/=e}"},
    {"s2;s2-;", kText, "{1}{2/=e} et {3}{4/=e} siècles"},
    {"sp;sp-;", kText, "{1}{2/=e}[ {3} {4}{5}] siècle{6}"},
    {"st;", kText, "St {1}"},
    {"ste;", kText, "Ste {1}"},
    {"tiret;", kLiteral, "–"},
    {"tome;", kText, "t. {1}"},
    {"vol.;", kText, "vol. {1}"},
    {"ère;", kLiteral, "ère"},
});

constexpr auto kSpanish = std::to_array<RuleGroup>({
    {"cita;", kText, "{text/cita/1}"},
    {"a.c.;ac;", kLiteral, "a. C."},
    {"cita en línea;comillas;", kText, "«{1}»"},
    {"conv;convert;convertir;", kMeasure, ""},
    {"d.c.;dc;", kLiteral, "d. C."},
    {"esd;nowrap2;versalita;versalitas;", kText, "{1}"},
    {"fallecimiento;fecha;fecha de fallecimiento;fecha de inicio;fecha de nacimiento;"
     "nacimiento;",
     kDateDmy, ""},
    {"número;", kText, "n.º {1}"},
    {"siglo;", kText, "siglo {1}"},
    {"siglos;", kText, "siglos {1}"},
    {"unidad;unit;", kText, "{1}[ {2}]"},
});

constexpr auto kItalian = std::to_array<RuleGroup>({
    {"a.c.;ac;", kLiteral, "a.C."},
    {"convert;converti;", kMeasure, ""},
    {"d.c.;dc;", kLiteral, "d.C."},
    {"data;", kDateDmy, ""},
    {"m;misura;", kText, "{1} {~2}{~3}"},
    {"maiuscoletto;ta;testo;", kText, "{1}"},
    {"secolo;", kText, "{1} secolo"},
});

constexpr auto kPortuguese = std::to_array<RuleGroup>({
    {"a.c.;ac;", kLiteral, "a.C."},
    {"convert;converter;", kMeasure, ""},
    {"d.c.;dc;", kLiteral, "d.C."},
    {"data;dni;dtext;dtlink;falecimento;morte;nascimento;", kDateDmy, ""},
    {"fmtn;unidade;", kText, "{1}[ {2}]"},
    {"link;", kText, "{3/2}"},
    {"pbpe;pepb;", kText, "{1}/{2}"},
    {"séc;século;", kText, "século {1}"},
});

constexpr auto kDutch = std::to_array<RuleGroup>({
    {"convert;", kMeasure, ""},
    {"datum;", kDateDmy, ""},
    {"eeuw;", kText, "{1}e eeuw"},
});

constexpr auto kSwedish = std::to_array<RuleGroup>({
    {"convert;konvertera;", kMeasure, ""},
    {"dödsdatum;dödsdatum och ålder;födelsedatum;födelsedatum och ålder;åldersdatum;", kDate, ""},
});

constexpr auto kPolish = std::to_array<RuleGroup>({
    {"ang.;", kText, "ang. {1}"},
    {"convert;", kMeasure, ""},
    {"czes.;", kText, "czes. {1}"},
    {"data;data urodzenia;data śmierci;", kDateText, ""},
    {"fr.;", kText, "fr. {1}"},
    {"gr.;", kText, "gr. {1}"},
    {"hiszp.;", kText, "hiszp. {1}"},
    {"j;jęz;język;", kText, "{2}"},
    {"jap.;", kText, "jap. {1}"},
    {"k;kapitaliki;", kText, "{1}"},
    {"niem.;", kText, "niem. {1}"},
    {"ros.;", kText, "ros. {1}"},
    {"ukr.;", kText, "ukr. {1}"},
    {"w.;", kText, "{1} w."},
    {"wiek;", kText, "{1} wiek"},
    {"wł.;", kText, "wł. {1}"},
    {"łac.;", kText, "łac. {1}"},
});

constexpr auto kRussian = std::to_array<RuleGroup>({
    {"comment;num;s;уд;удар;ударение;число;", kText, "{1}"},
    {"convert;перевод единиц;", kMeasure, ""},
    {"date;дата;дата рождения;дата смерти;др;дс;", kDateDmy, ""},
    {"iw;не переведено;не переведено 2;не переведено 3;не переведено 4;"
     "не переведено 5;нп;нп1;нп2;нп3;нп4;нп5;нп6;",
     kText, "{2/1}"},
    {"англ.;", kText, "англ. {1}"},
    {"вв;", kText, "{1}—{2} века"},
    {"век;", kText, "{1} век"},
    {"века;", kText, "{1} века"},
    {"до н. э.;до н.э.;", kLiteral, "до н. э."},
    {"км²;", kText, "{1} км²"},
    {"лат.;", kText, "лат. {1}"},
    {"н. э.;н.э.;", kLiteral, "н. э."},
    {"рубль;", kLiteral, "₽"},
    {"тире;", kLiteral, " — "},
});

constexpr auto kJapanese = std::to_array<RuleGroup>({
    {"by;by2;和暦;大;小;強調;縦書き;", kText, "{1}"},
    {"convert;", kMeasure, ""},
    {"ルビ;", kText, "{1}（{2}）"},
    {"死亡年月日;死亡年月日と没年齢;没年齢;生年月日;生年月日と年齢;", kDate, ""},
});

constexpr auto kChinese = std::to_array<RuleGroup>({
    {"convert;换算;", kMeasure, ""},
    {"ilh;translink;tsl;", kText, "{4/3}"},
    {"internal link helper/en;le;link-de;link-en;link-es;link-fr;link-it;link-ja;"
     "link-ko;link-ru;lj;",
     kText, "{3/1}"},
    {"仿宋;小;楷体;黑体;", kText, "{1}"},
    {"出生日期;出生日期及年齡;出生日期和年龄;生日与年龄;", kDate, ""},
});

constexpr auto kUkrainian = std::to_array<RuleGroup>({
    {"date;дата народження;дата смерті;дН;дС;дн;дс;", kDateDmy, ""},
    {"iw;не перекладено;нп;нп3;нп5;", kText, "{2/1}"},
    {"англ.;", kText, "англ. {1}"},
    {"лат.;", kText, "лат. {1}"},
    {"нім.;", kText, "нім. {1}"},
    {"рос.;", kText, "рос. {1}"},
    {"фр.;", kText, "фр. {1}"},
});

constexpr auto kVietnamese = std::to_array<RuleGroup>({
    {"ngày mất;ngày mất và tuổi;ngày sinh;ngày sinh và tuổi;", kDate, ""},
});

constexpr auto kArabic = std::to_array<RuleGroup>({
    {"إنج;", kText, "بالإنجليزية: {1}"},
    {"تاريخ الميلاد;تاريخ الميلاد والعمر;تاريخ الوفاة;تاريخ الوفاة والعمر;", kDate, ""},
    {"فرن;", kText, "بالفرنسية: {1}"},
    {"لات;", kText, "باللاتينية: {1}"},
    {"وإو;", kText, "{نص/عر/1}"},
});

// clang-format on

using Index = std::unordered_map<std::string_view, TemplateRule>;

struct Table {
  std::string_view language;  ///< empty: of all wikis
  std::span<const RuleGroup> groups;
};

constexpr std::array kTables = {
    Table{"", kAllWikis},     Table{"en", kEnglish},   Table{"de", kGerman},
    Table{"fr", kFrench},     Table{"es", kSpanish},   Table{"it", kItalian},
    Table{"pt", kPortuguese}, Table{"nl", kDutch},     Table{"sv", kSwedish},
    Table{"pl", kPolish},     Table{"ru", kRussian},   Table{"ja", kJapanese},
    Table{"zh", kChinese},    Table{"uk", kUkrainian}, Table{"vi", kVietnamese},
    Table{"ar", kArabic}};

void add_names(const RuleGroup& group, Index& index) {
  for (std::string_view rest = group.names; !rest.empty();) {
    const size_t end = rest.find(';');
    index.emplace(rest.substr(0, end), TemplateRule{group.action, group.pattern});
    rest.remove_prefix(end + 1);
  }
}

const std::array<Index, kTables.size()>& indexes() {
  static const auto kIndexes = [] {
    std::array<Index, kTables.size()> built;
    for (size_t i = 0; i < kTables.size(); ++i) {
      for (const RuleGroup& group : kTables[i].groups) add_names(group, built[i]);
    }
    return built;
  }();
  return kIndexes;
}

const TemplateRule* find_in(size_t table, std::string_view name) {
  const auto found = indexes()[table].find(name);
  return found == indexes()[table].end() ? nullptr : &found->second;
}

}  // namespace

TemplateRules::TemplateRules(std::string_view language) {
  const auto* const found = std::ranges::find(kTables, language, &Table::language);
  if (found != kTables.end()) table_ = static_cast<size_t>(found - kTables.begin());
}

const TemplateRule* TemplateRules::find(std::string_view name) const {
  const TemplateRule* const own = table_ > 0 ? find_in(table_, name) : nullptr;
  return own != nullptr ? own : find_in(0, name);
}

}  // namespace bertha::corpus
