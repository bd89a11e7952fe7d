#include "corpus/wiki_language.h"

#include <algorithm>

namespace bertha::corpus {
namespace {

constexpr std::array kLanguages = {
    WikiLanguage{
        "en",
        {"January", "February", "March", "April", "May", "June", "July", "August", "September",
         "October", "November", "December"},
        {},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1}: {2}",
        ";af=Afrikaans;ar=Arabic;arc=Aramaic;az=Azerbaijani;be=Belarusian;bg=Bulgarian;bn=Bengali;"
        "bo=Tibetan;bs=Bosnian;ca=Catalan;cs=Czech;cy=Welsh;da=Danish;de=German;el=Greek;"
        "en=English;eo=Esperanto;es=Spanish;et=Estonian;eu=Basque;fa=Persian;fi=Finnish;fr=French;"
        "ga=Irish;gd=Scottish Gaelic;gl=Galician;grc=Ancient Greek;gu=Gujarati;haw=Hawaiian;"
        "he=Hebrew;hi=Hindi;hr=Croatian;hu=Hungarian;hy=Armenian;id=Indonesian;is=Icelandic;"
        "it=Italian;ja=Japanese;ka=Georgian;kk=Kazakh;km=Khmer;kn=Kannada;ko=Korean;ku=Kurdish;"
        "la=Latin;lb=Luxembourgish;lo=Lao;lt=Lithuanian;lv=Latvian;mi=Māori;mk=Macedonian;"
        "ml=Malayalam;mn=Mongolian;mr=Marathi;ms=Malay;mt=Maltese;my=Burmese;nb=Norwegian Bokmål;"
        "ne=Nepali;nl=Dutch;nn=Norwegian Nynorsk;no=Norwegian;oc=Occitan;pa=Punjabi;pl=Polish;"
        "ps=Pashto;pt=Portuguese;ro=Romanian;ru=Russian;sa=Sanskrit;si=Sinhala;sk=Slovak;"
        "sl=Slovene;so=Somali;sq=Albanian;sr=Serbian;sv=Swedish;sw=Swahili;ta=Tamil;te=Telugu;"
        "tg=Tajik;th=Thai;tl=Tagalog;tr=Turkish;uk=Ukrainian;ur=Urdu;uz=Uzbek;vi=Vietnamese;"
        "yi=Yiddish;zh=Chinese;",
        // One "unit|units" each.
        ";mi=mile|miles;ft=foot|feet;foot=foot|feet;in=inch|inches;inch=inch|inches;yd=yard|yards;"
        "lb=pound|pounds;oz=ounce|ounces;acre=acre|acres;nmi=nautical mile|nautical miles;"
        "kn=knot|knots;impgal=imperial gallon|imperial gallons;usgal=US gallon|US gallons;"
        "LT=long ton|long tons;ST=short ton|short tons;t=tonne|tonnes;hp=horsepower|horsepower;"
        "bhp=brake horsepower|brake horsepower;PD/sqmi=per square mile|per square mile;"
        "PD/km2=per km²|per km²;/sqmi=per square mile|per square mile;/km2=per km²|per km²;"
        "ly=light-year|light-years;sqmi=square mile|square miles;sqft=square foot|square feet;"
        "sqyd=square yard|square yards;sqin=square inch|square inches;cuft=cubic foot|cubic feet;"
        "cuyd=cubic yard|cubic yards;cumi=cubic mile|cubic miles;cuin=cubic inch|cubic inches;"
        "st=stone|stone;fathom=fathom|fathoms;furlong=furlong|furlongs;chain=chain|chains;"
        "L=litre|litres;l=litre|litres;mph=mile per hour|miles per hour;"
        "ftlb=foot-pound|foot-pounds;pt=pint|pints;qt=quart|quarts;",
        " "},
    WikiLanguage{
        "de",
        {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
         "Oktober", "November", "Dezember"},
        {},
        "{1}. {2} {3}",
        "{2} {3}",
        "",
        "{1} {2}",
        ";ar=arabisch;bg=bulgarisch;ca=katalanisch;cs=tschechisch;da=dänisch;de=deutsch;"
        "el=griechisch;en=englisch;es=spanisch;fa=persisch;fi=finnisch;fr=französisch;"
        "grc=altgriechisch;he=hebräisch;hi=Hindi;hr=kroatisch;hu=ungarisch;hy=armenisch;"
        "it=italienisch;ja=japanisch;ka=georgisch;ko=koreanisch;la=lateinisch;nl=niederländisch;"
        "no=norwegisch;pl=polnisch;pt=portugiesisch;ro=rumänisch;ru=russisch;sa=Sanskrit;"
        "sk=slowakisch;sl=slowenisch;sr=serbisch;sv=schwedisch;tr=türkisch;uk=ukrainisch;"
        "vi=vietnamesisch;zh=chinesisch;",
        ";mi=Meilen;ft=Fuß;in=Zoll;yd=Yards;lb=Pfund;oz=Unzen;acre=Acres;sqmi=Quadratmeilen;"
        "sqft=Quadratfuß;nmi=Seemeilen;kn=Knoten;",
        " "},
    WikiLanguage{
        "fr",
        {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
         "octobre", "novembre", "décembre"},
        {},
        "{1} {2} {3}",
        "{2} {3}",
        "1er",
        "en {1} : {2}",
        ";ar=arabe;bg=bulgare;ca=catalan;cs=tchèque;da=danois;de=allemand;el=grec;en=anglais;"
        "es=espagnol;fa=persan;fi=finnois;fr=français;grc=grec ancien;he=hébreu;hi=hindi;"
        "hr=croate;hu=hongrois;hy=arménien;it=italien;ja=japonais;ka=géorgien;ko=coréen;la=latin;"
        "nl=néerlandais;no=norvégien;pl=polonais;pt=portugais;ro=roumain;ru=russe;sa=sanskrit;"
        "sk=slovaque;sl=slovène;sr=serbe;sv=suédois;tr=turc;uk=ukrainien;vi=vietnamien;"
        "zh=chinois;",
        ";mi=milles;ft=pieds;in=pouces;yd=yards;lb=livres;oz=onces;acre=acres;"
        "sqmi=milles carrés;sqft=pieds carrés;nmi=milles marins;kn=nœuds;",
        " "},
    WikiLanguage{
        "es",
        {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
         "octubre", "noviembre", "diciembre"},
        {},
        "{1} de {2} de {3}",
        "{2} de {3}",
        "",
        "en {1}: {2}",
        ";ar=árabe;bg=búlgaro;ca=catalán;cs=checo;da=danés;de=alemán;el=griego;en=inglés;"
        "es=español;eu=euskera;fa=persa;fi=finés;fr=francés;grc=griego antiguo;he=hebreo;hi=hindi;"
        "hr=croata;hu=húngaro;hy=armenio;it=italiano;ja=japonés;ka=georgiano;ko=coreano;la=latín;"
        "nl=neerlandés;no=noruego;pl=polaco;pt=portugués;ro=rumano;ru=ruso;sa=sánscrito;"
        "sk=eslovaco;sl=esloveno;sr=serbio;sv=sueco;tr=turco;uk=ucraniano;vi=vietnamita;zh=chino;",
        ";mi=millas;ft=pies;in=pulgadas;yd=yardas;lb=libras;oz=onzas;acre=acres;"
        "sqmi=millas cuadradas;sqft=pies cuadrados;nmi=millas náuticas;kn=nudos;",
        " "},
    WikiLanguage{
        "it",
        {"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto",
         "settembre", "ottobre", "novembre", "dicembre"},
        {},
        "{1} {2} {3}",
        "{2} {3}",
        "1º",
        "in {1}: {2}",
        ";ar=arabo;bg=bulgaro;ca=catalano;cs=ceco;da=danese;de=tedesco;el=greco;en=inglese;"
        "es=spagnolo;fa=persiano;fi=finlandese;fr=francese;grc=greco antico;he=ebraico;hi=hindi;"
        "hr=croato;hu=ungherese;hy=armeno;it=italiano;ja=giapponese;ka=georgiano;ko=coreano;"
        "la=latino;nl=olandese;no=norvegese;pl=polacco;pt=portoghese;ro=rumeno;ru=russo;"
        "sa=sanscrito;sk=slovacco;sl=sloveno;sr=serbo;sv=svedese;tr=turco;uk=ucraino;"
        "vi=vietnamita;zh=cinese;",
        ";mi=miglia;ft=piedi;in=pollici;yd=iarde;lb=libbre;oz=once;acre=acri;"
        "sqmi=miglia quadrate;sqft=piedi quadrati;nmi=miglia nautiche;kn=nodi;",
        " "},
    WikiLanguage{
        "pt",
        {"janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro",
         "outubro", "novembro", "dezembro"},
        {},
        "{1} de {2} de {3}",
        "{2} de {3}",
        "1º",
        "em {1}: {2}",
        ";ar=árabe;bg=búlgaro;ca=catalão;cs=tcheco;da=dinamarquês;de=alemão;el=grego;en=inglês;"
        "es=castelhano;fa=persa;fi=finlandês;fr=francês;grc=grego clássico;he=hebraico;hi=hindi;"
        "hr=croata;hu=húngaro;hy=armênio;it=italiano;ja=japonês;ka=georgiano;ko=coreano;la=latim;"
        "nl=neerlandês;no=norueguês;pl=polonês;ro=romeno;ru=russo;sa=sânscrito;sk=eslovaco;"
        "sl=esloveno;sr=sérvio;sv=sueco;tr=turco;uk=ucraniano;vi=vietnamita;zh=chinês;",
        ";mi=milhas;ft=pés;in=polegadas;yd=jardas;lb=libras;oz=onças;acre=acres;"
        "sqmi=milhas quadradas;sqft=pés quadrados;nmi=milhas náuticas;kn=nós;",
        " "},
    WikiLanguage{
        "nl",
        {"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september",
         "oktober", "november", "december"},
        {},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1}: {2}",
        ";ar=Arabisch;bg=Bulgaars;ca=Catalaans;cs=Tsjechisch;da=Deens;de=Duits;el=Grieks;"
        "en=Engels;es=Spaans;fa=Perzisch;fi=Fins;fr=Frans;grc=Oudgrieks;he=Hebreeuws;hi=Hindi;"
        "hr=Kroatisch;hu=Hongaars;hy=Armeens;it=Italiaans;ja=Japans;ka=Georgisch;ko=Koreaans;"
        "la=Latijn;nl=Nederlands;no=Noors;pl=Pools;pt=Portugees;ro=Roemeens;ru=Russisch;"
        "sa=Sanskriet;sk=Slowaaks;sl=Sloveens;sr=Servisch;sv=Zweeds;tr=Turks;uk=Oekraïens;"
        "vi=Vietnamees;zh=Chinees;",
        ";mi=mijl;ft=voet;in=inch;yd=yard;lb=pond;oz=ounce;acre=acre;sqmi=vierkante mijl;"
        "sqft=vierkante voet;nmi=zeemijl;kn=knopen;",
        " "},
    WikiLanguage{
        "sv",
        {"januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september",
         "oktober", "november", "december"},
        {},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1}: {2}",
        ";ar=arabiska;bg=bulgariska;ca=katalanska;cs=tjeckiska;da=danska;de=tyska;el=grekiska;"
        "en=engelska;es=spanska;fa=persiska;fi=finska;fr=franska;grc=klassisk grekiska;"
        "he=hebreiska;hi=hindi;hr=kroatiska;hu=ungerska;hy=armeniska;it=italienska;ja=japanska;"
        "ka=georgiska;ko=koreanska;la=latin;nl=nederländska;no=norska;pl=polska;pt=portugisiska;"
        "ro=rumänska;ru=ryska;sa=sanskrit;sk=slovakiska;sl=slovenska;sr=serbiska;tr=turkiska;"
        "uk=ukrainska;vi=vietnamesiska;zh=kinesiska;",
        ";mi=engelska mil;ft=fot;in=tum;yd=yards;lb=pund;acre=acre;nmi=sjömil;kn=knop;",
        " "},
    WikiLanguage{
        "pl",
        {"stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia",
         "września", "października", "listopada", "grudnia"},
        {"styczeń", "luty", "marzec", "kwiecień", "maj", "czerwiec", "lipiec", "sierpień",
         "wrzesień", "październik", "listopad", "grudzień"},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1} {2}",
        ";ar=arab.;bg=bułg.;ca=kat.;cs=czes.;da=duń.;de=niem.;el=gr.;en=ang.;es=hiszp.;fa=pers.;"
        "fi=fiń.;fr=fr.;grc=stgr.;he=hebr.;hi=hindi;hr=chorw.;hu=węg.;hy=orm.;it=wł.;ja=jap.;"
        "ka=gruz.;ko=kor.;la=łac.;nl=niderl.;no=norw.;pl=pol.;pt=port.;ro=rum.;ru=ros.;sa=sanskr.;"
        "sk=słow.;sl=słoweń.;sr=serb.;sv=szw.;tr=tur.;uk=ukr.;vi=wiet.;zh=chiń.;",
        ";mi=mil;ft=stóp;in=cali;yd=jardów;lb=funtów;oz=uncji;acre=akrów;"
        "sqmi=mil kwadratowych;sqft=stóp kwadratowych;nmi=mil morskich;kn=węzłów;",
        " "},
    WikiLanguage{
        "ru",
        {"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября",
         "октября", "ноября", "декабря"},
        {"январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь",
         "октябрь", "ноябрь", "декабрь"},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1} {2}",
        ";ar=араб.;az=азерб.;be=белор.;bg=болг.;ca=кат.;cs=чеш.;da=дат.;de=нем.;el=греч.;en=англ.;"
        "es=исп.;et=эст.;fa=перс.;fi=фин.;fr=фр.;grc=др.-греч.;he=ивр.;hi=хинди;hr=хорв.;hu=венг.;"
        "hy=арм.;it=итал.;ja=яп.;ka=груз.;kk=каз.;ko=кор.;la=лат.;lt=лит.;lv=латыш.;nl=нидерл.;"
        "no=норв.;pl=польск.;pt=порт.;ro=рум.;ru=рус.;sa=санскр.;sk=словацк.;sl=словен.;sr=серб.;"
        "sv=швед.;tr=тур.;tt=тат.;uk=укр.;uz=узб.;vi=вьетн.;zh=кит.;",
        ";mi=миль;ft=футов;in=дюймов;yd=ярдов;lb=фунтов;oz=унций;acre=акров;sqmi=кв. миль;"
        "sqft=кв. футов;nmi=морских миль;kn=узлов;km=км;m=м;cm=см;mm=мм;kg=кг;g=г;t=т;ha=га;"
        "km2=км²;m2=м²;km/h=км/ч;m/s=м/с;kW=кВт;MW=МВт;l=л;L=л;",
        " "},
    WikiLanguage{
        "ja",
        {"1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"},
        {},
        "{3}年{2}{1}日",
        "{3}年{2}",
        "",
        "{1}: {2}",
        ";ar=アラビア語;bg=ブルガリア語;ca=カタルーニャ語;cs=チェコ語;da=デンマーク語;de=ドイツ語;"
        "el=ギリシャ語;en=英語;es=スペイン語;fa=ペルシア語;fi=フィンランド語;fr=フランス語;"
        "grc=古代ギリシャ語;he=ヘブライ語;hi=ヒンディー語;hr=クロアチア語;hu=ハンガリー語;"
        "hy=アルメニア語;it=イタリア語;ka=グルジア語;ko=朝鮮語;la=ラテン語;nl=オランダ語;"
        "no=ノルウェー語;pl=ポーランド語;pt=ポルトガル語;ro=ルーマニア語;ru=ロシア語;"
        "sa=サンスクリット;sk=スロバキア語;sl=スロベニア語;sr=セルビア語;sv=スウェーデン語;"
        "tr=トルコ語;uk=ウクライナ語;vi=ベトナム語;zh=中国語;",
        ";mi=マイル;ft=フィート;in=インチ;yd=ヤード;lb=ポンド;oz=オンス;acre=エーカー;"
        "sqmi=平方マイル;sqft=平方フィート;nmi=海里;kn=ノット;",
        ""},
    WikiLanguage{
        "zh",
        {"1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"},
        {},
        "{3}年{2}{1}日",
        "{3}年{2}",
        "",
        "{1}：{2}",
        ";ar=阿拉伯语;bg=保加利亚语;ca=加泰罗尼亚语;cs=捷克语;da=丹麦语;de=德语;el=希腊语;"
        "en=英语;es=西班牙语;fa=波斯语;fi=芬兰语;fr=法语;grc=古希腊语;he=希伯来语;hi=印地语;"
        "hr=克罗地亚语;hu=匈牙利语;hy=亚美尼亚语;it=意大利语;ja=日语;ka=格鲁吉亚语;ko=朝鲜语;"
        "la=拉丁语;nl=荷兰语;no=挪威语;pl=波兰语;pt=葡萄牙语;ro=罗马尼亚语;ru=俄语;sa=梵语;"
        "sk=斯洛伐克语;sl=斯洛文尼亚语;sr=塞尔维亚语;sv=瑞典语;tr=土耳其语;uk=乌克兰语;"
        "vi=越南语;",
        ";mi=英里;ft=英尺;in=英寸;yd=码;lb=磅;oz=盎司;acre=英亩;sqmi=平方英里;sqft=平方英尺;"
        "nmi=海里;kn=节;",
        ""},
    WikiLanguage{
        "uk",
        {"січня", "лютого", "березня", "квітня", "травня", "червня", "липня", "серпня", "вересня",
         "жовтня", "листопада", "грудня"},
        {"січень", "лютий", "березень", "квітень", "травень", "червень", "липень", "серпень",
         "вересень", "жовтень", "листопад", "грудень"},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1} {2}",
        ";ar=араб.;az=азерб.;be=біл.;bg=болг.;ca=кат.;cs=чеськ.;da=дан.;de=нім.;el=грец.;en=англ.;"
        "es=ісп.;et=ест.;fa=перс.;fi=фін.;fr=фр.;grc=дав.-гр.;he=івр.;hi=гінді;hr=хорв.;hu=угор.;"
        "hy=вірм.;it=італ.;ja=яп.;ka=груз.;kk=каз.;ko=кор.;la=лат.;lt=лит.;lv=латис.;nl=нід.;"
        "no=норв.;pl=пол.;pt=порт.;ro=рум.;ru=рос.;sa=санскр.;sk=словац.;sl=словен.;sr=серб.;"
        "sv=швед.;tr=тур.;uz=узб.;vi=в'єт.;zh=кит.;",
        ";mi=миль;ft=футів;in=дюймів;yd=ярдів;lb=фунтів;oz=унцій;acre=акрів;"
        "sqmi=квадратних миль;sqft=квадратних футів;nmi=морських миль;kn=вузлів;km=км;m=м;cm=см;"
        "mm=мм;kg=кг;g=г;t=т;ha=га;km2=км²;m2=м²;km/h=км/год;m/s=м/с;kW=кВт;MW=МВт;l=л;L=л;",
        " "},
    WikiLanguage{
        "ar",
        {"يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر",
         "نوفمبر", "ديسمبر"},
        {},
        "{1} {2} {3}",
        "{2} {3}",
        "",
        "{1}: {2}",
        ";bg=بالبلغارية;ca=بالكتالونية;cs=بالتشيكية;da=بالدنماركية;de=بالألمانية;el=باليونانية;"
        "en=بالإنجليزية;es=بالإسبانية;fa=بالفارسية;fi=بالفنلندية;fr=بالفرنسية;grc=بالإغريقية;"
        "he=بالعبرية;hi=بالهندية;hr=بالكرواتية;hu=بالمجرية;hy=بالأرمنية;id=بالإندونيسية;"
        "it=بالإيطالية;ja=باليابانية;ka=بالجورجية;ko=بالكورية;ku=بالكردية;la=باللاتينية;"
        "nl=بالهولندية;no=بالنرويجية;pl=بالبولندية;pt=بالبرتغالية;ro=بالرومانية;ru=بالروسية;"
        "sa=بالسنسكريتية;sr=بالصربية;sv=بالسويدية;tr=بالتركية;uk=بالأوكرانية;ur=بالأردية;"
        "vi=بالفيتنامية;zh=بالصينية;",
        ";mi=ميل;ft=قدم;in=بوصة;yd=ياردة;lb=رطل;oz=أونصة;acre=فدان;sqmi=ميل مربع;sqft=قدم مربع;"
        "nmi=ميل بحري;kn=عقدة;km=كم;m=م;cm=سم;mm=مم;kg=كجم;g=جم;t=طن;ha=هكتار;km2=كم²;m2=م²;"
        "km/h=كم/س;m/s=م/ث;",
        " "},
    WikiLanguage{"arz",
                 {"يناير", "فبراير", "مارس", "ابريل", "مايو", "يونيه", "يوليه", "اغسطس", "سبتمبر",
                  "اكتوبر", "نوفمبر", "ديسمبر"},
                 {},
                 "{1} {2} {3}",
                 "{2} {3}",
                 "",
                 "{1}: {2}",
                 ";de=بالالمانى;en=بالانجليزى;es=بالاسبانى;fr=بالفرنساوى;it=بالايطالى;la=باللاتينى;"
                 "ru=بالروسى;tr=بالتركى;",
                 ";mi=ميل;ft=قدم;in=بوصه;acre=فدان;km=كم;m=م;cm=سم;mm=مم;kg=كجم;km2=كم²;m2=م²;",
                 " "},
    WikiLanguage{
        "vi",
        {"tháng 1", "tháng 2", "tháng 3", "tháng 4", "tháng 5", "tháng 6", "tháng 7", "tháng 8",
         "tháng 9", "tháng 10", "tháng 11", "tháng 12"},
        {},
        "{1} {2} năm {3}",
        "{2} năm {3}",
        "",
        "{1}: {2}",
        ";ar=tiếng Ả Rập;bg=tiếng Bulgaria;cs=tiếng Séc;da=tiếng Đan Mạch;de=tiếng Đức;"
        "el=tiếng Hy Lạp;en=tiếng Anh;es=tiếng Tây Ban Nha;fa=tiếng Ba Tư;fi=tiếng Phần Lan;"
        "fr=tiếng Pháp;grc=tiếng Hy Lạp cổ đại;he=tiếng Hebrew;hi=tiếng Hindi;hu=tiếng Hungary;"
        "id=tiếng Indonesia;it=tiếng Ý;ja=tiếng Nhật;km=tiếng Khmer;ko=tiếng Hàn;la=tiếng Latinh;"
        "lo=tiếng Lào;nl=tiếng Hà Lan;no=tiếng Na Uy;pl=tiếng Ba Lan;pt=tiếng Bồ Đào Nha;"
        "ro=tiếng Romania;ru=tiếng Nga;sa=tiếng Phạn;sv=tiếng Thụy Điển;th=tiếng Thái;"
        "tr=tiếng Thổ Nhĩ Kỳ;uk=tiếng Ukraina;zh=tiếng Trung;",
        ";mi=dặm;ft=foot;in=inch;yd=yard;lb=pound;oz=ounce;acre=mẫu Anh;sqmi=dặm vuông;"
        "sqft=foot vuông;nmi=hải lý;",
        " "},
    WikiLanguage{"ceb",
                 {"Enero", "Pebrero", "Marso", "Abril", "Mayo", "Hunyo", "Hulyo", "Agosto",
                  "Septiyembre", "Oktubre", "Nobyembre", "Disyembre"},
                 {},
                 "{2} {1}, {3}",
                 "{2} {3}",
                 "",
                 "{1}: {2}",
                 ";de=Inaleman;en=Iningles;es=Kinatsila;fr=Pranses;la=Linatin;tl=Tinagalog;",
                 ";mi=milya;",
                 " "},
    WikiLanguage{"war",
                 {"Enero", "Pebrero", "Marso", "Abril", "Mayo", "Hunyo", "Hulyo", "Agosto",
                  "Septyembre", "Oktubre", "Nobyembre", "Disyembre"},
                 {},
                 "{2} {1}, {3}",
                 "{2} {3}",
                 "",
                 "{1}: {2}",
                 ";en=Ininglis;es=Kinatsila;la=Linatin;tl=Tinagalog;",
                 ";mi=milya;",
                 " "},
};

}  // namespace

const WikiLanguage* find_wiki_language(std::string_view code) {
  const auto* const found = std::ranges::find(kLanguages, code, &WikiLanguage::code);
  return found == kLanguages.end() ? nullptr : found;
}

std::string_view find_word(std::string_view words, std::string_view key) {
  for (size_t at = words.find(key); at != std::string_view::npos && !key.empty();
       at = words.find(key, at + 1)) {
    const size_t after = at + key.size();
    if (at > 0 && words[at - 1] == ';' && after < words.size() && words[after] == '=') {
      return words.substr(after + 1, words.find(';', after) - after - 1);
    }
  }
  return {};
}

}  // namespace bertha::corpus
